import { EventMemory, type WatchEvent } from './watch-event.js';

/** The puts of one revision, in the order of its transaction. Without puts it only says how far the history is known. */
export interface RawRevision {
  readonly revision: number;
  readonly puts: readonly WatchEvent[];
  /** Keys that it deleted. */
  readonly deletes: readonly Buffer[];
  /** Its events as they were sent: a watch response by themselves. */
  readonly bytes: Buffer;
}

/**
 * Joins the parts of a watch stream into whole revisions. Fragments can cut a revision; a catch-up response can hold
 * 1,000 revisions. A revision is complete as soon as the next one begins, so at most one waits in memory.
 */
export class RevisionAssembler {
  #cursor: number;
  #open: WatchEvent[] = [];
  #deleted: Buffer[] = [];
  #pieces: Buffer[] = [];
  #revision = 0;
  readonly #memory = new EventMemory();

  /** @param cursor last revision that the reader has received */
  constructor(cursor: number) {
    this.#cursor = cursor;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /**
   * The events of one response may lie in a buffer that is used again: what is kept of them is copied, in one piece for
   * each revision.
   * @param more whether the response continues in another fragment
   * @throws Error when revisions go backwards
   */
  take(events: readonly WatchEvent[], more: boolean): RawRevision[] {
    const whole: RawRevision[] = [];
    for (let from = 0; from < events.length;) {
      const { revision } = events[from]!;
      let to = from + 1;
      while (to < events.length && events[to]!.revision === revision) to++;
      // Some servers send events twice (etcd #15274).
      if (revision > this.#cursor) this.#add(events, from, to, whole);
      from = to;
    }
    if (!more) this.#finish(whole);
    return whole;
  }

  /** Takes a progress notice that the server orders with the events: no event up to `revision` is missing. */
  progress(revision: number): RawRevision[] {
    if (this.#revision > this.#cursor || revision <= this.#cursor) return [];
    this.#cursor = revision;
    return [{ revision, puts: [], deletes: [], bytes: NOTHING }];
  }

  /** Takes neighbours of one revision, `from` up to and without `to`. */
  #add(events: readonly WatchEvent[], from: number, to: number, whole: RawRevision[]): void {
    const { revision } = events[from]!;
    if (revision < this.#revision) throw new Error(`revision ${revision} came after ${this.#revision}`);
    if (revision > this.#revision) this.#finish(whole);
    this.#revision = revision;
    this.#pieces.push(this.#memory.take(events, from, to));
    for (let at = from; at < to; at++) {
      const event = events[at]!;
      if (event.isDelete) this.#deleted.push(event.key);
      else this.#open.push(event);
    }
  }

  #finish(whole: RawRevision[]): void {
    if (this.#revision <= this.#cursor) return;
    this.#cursor = this.#revision;
    whole.push({ revision: this.#revision, puts: this.#open, deletes: this.#deleted, bytes: joined(this.#pieces) });
    this.#open = [];
    this.#deleted = [];
    this.#pieces = [];
  }
}

const NOTHING = Buffer.alloc(0);

/** Messages of protobuf behind each other are one with the repeated fields of all of them. */
function joined(pieces: readonly Buffer[]): Buffer {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
