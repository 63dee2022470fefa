import type { IEvent, IKeyValue } from 'etcd3';

/** The puts of one revision, in the order of its transaction. Without puts it only says how far the history is known. */
export interface RawRevision {
  readonly revision: number;
  readonly puts: readonly IKeyValue[];
  /** Keys that it deleted. */
  readonly deletes: readonly Buffer[];
}

/**
 * Joins the parts of a watch stream into whole revisions. Fragments can cut a revision; a catch-up response can hold
 * 1,000 revisions. A revision is complete as soon as the next one begins, so at most one waits in memory.
 */
export class RevisionAssembler {
  #cursor: number;
  #open: IKeyValue[] = [];
  #deleted: Buffer[] = [];
  #revision = 0;

  /** @param cursor last revision that the reader has received */
  constructor(cursor: number) {
    this.#cursor = cursor;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /**
   * @param more whether the response continues in another fragment
   * @throws Error when revisions go backwards
   */
  take(events: readonly IEvent[], more: boolean): RawRevision[] {
    const whole: RawRevision[] = [];
    for (const { type, kv } of events) {
      const revision = Number(kv.mod_revision);
      // Some servers send events twice (etcd #15274).
      if (revision <= this.#cursor) continue;
      if (revision < this.#revision) throw new Error(`revision ${revision} came after ${this.#revision}`);
      if (revision > this.#revision) this.#finish(whole);
      this.#revision = revision;
      if ((type as unknown) === 'Put') this.#open.push(kv);
      else this.#deleted.push(kv.key);
    }
    if (!more) this.#finish(whole);
    return whole;
  }

  /** Takes a progress notice that the server orders with the events: no event up to `revision` is missing. */
  progress(revision: number): RawRevision[] {
    if (this.#revision > this.#cursor || revision <= this.#cursor) return [];
    this.#cursor = revision;
    return [{ revision, puts: [], deletes: [] }];
  }

  #finish(whole: RawRevision[]): void {
    if (this.#revision <= this.#cursor) return;
    this.#cursor = this.#revision;
    whole.push({ revision: this.#revision, puts: this.#open, deletes: this.#deleted });
    this.#open = [];
    this.#deleted = [];
  }
}
