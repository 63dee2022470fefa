import type { GapReason, ShadowFilter } from '../store/shadow-feed.js';
import type { Cursor, EndReason, ShadowEvent, Subscription } from './subscription.js';

type Result = IteratorResult<ShadowEvent, undefined>;

/** Bytes of an average record: a queue holds as many as all its records would have at this size, or one. */
const AVERAGE_BYTES = 4 * 1024;

const DONE: Result = { value: undefined, done: true };

export interface QueueOptions {
  readonly filter: ShadowFilter;
  /** Records that may wait. */
  readonly maxQueued: number;
  readonly onGap: 'end' | 'notify';
  /** Called once, when it ends. */
  readonly onEnd: (queue: SubscriptionQueue) => void;
}

/** The reader's end of a subscription, and the bounded queue to it. */
export class SubscriptionQueue implements Subscription, AsyncIterator<ShadowEvent, undefined> {
  readonly ended: Promise<EndReason>;
  #resolveEnded!: (reason: EndReason) => void;
  #reason: EndReason | null = null;
  #events: ShadowEvent[] = [];
  #first = 0;
  /** Of those that wait. They are few by themselves and take no room from the records. */
  #bookmarks = 0;
  /** Of the records that wait. */
  #bytes = 0;
  #readers: ((result: Result) => void)[] = [];
  #hasRoom: (() => void) | null = null;
  #abort: AbortController | null = null;
  #busy = false;
  #fromRevision = 0;
  #fromSeen: number | null = null;

  constructor(private readonly options: QueueOptions) {
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
  }

  get filter(): ShadowFilter {
    return this.options.filter;
  }

  get isEnded(): boolean {
    return this.#reason !== null;
  }

  /** Records that wait for the reader. */
  get size(): number {
    return this.#events.length - this.#first - this.#bookmarks;
  }

  get isFull(): boolean {
    const { maxQueued } = this.options;
    return this.size >= maxQueued || (this.#bytes >= maxQueued * AVERAGE_BYTES && this.size > 0);
  }

  get #isHalfEmpty(): boolean {
    const { maxQueued } = this.options;
    return this.size === 0 || (this.size <= maxQueued / 2 && this.#bytes <= (maxQueued / 2) * AVERAGE_BYTES);
  }

  /** Aborted at the end of the subscription. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.isEnded) this.#abort.abort();
    return this.#abort.signal;
  }

  /** What the reader has had before it went live. */
  startAfter(cursor: Cursor): void {
    this.#fromRevision = cursor.revision;
    this.#fromSeen = cursor.seen;
  }

  /** @param index of the record in its revision */
  wants(revision: number, index: number): boolean {
    if (revision !== this.#fromRevision) return revision > this.#fromRevision;
    return this.#fromSeen !== null && index >= this.#fromSeen;
  }

  /** Whether the reader is past `revision` already, before having had it from here. */
  isBefore(revision: number): boolean {
    return revision < this.#fromRevision;
  }

  /** Whether nothing came, and nothing waits, since this was asked last. */
  takeIdle(): boolean {
    const idle = !this.#busy && this.#events.length === 0;
    this.#busy = false;
    return idle;
  }

  /** Hands the event to a waiting reader or keeps it; one record more than there is room for ends the subscription. */
  push(event: ShadowEvent): void {
    if (this.isEnded) return;
    const isBookmark = event.kind === 'bookmark';
    if (!isBookmark) this.#busy = true;
    const reader = this.#readers.shift();
    if (reader) return reader({ value: event, done: false });
    if (isBookmark) this.#bookmarks++;
    else if (this.isFull) return this.end('too-slow');
    this.#bytes += bytesOf(event);
    this.#events.push(event);
  }

  /** Ends the subscription or, when its reader wants that, tells it about the hole. */
  gap(reason: GapReason, cursor: Cursor): void {
    if (this.options.onGap === 'end') return this.end(reason);
    // A reader that reloads needs nothing of what waited, so the news of it always finds room.
    if (this.isFull) this.#clear();
    this.push({ kind: 'gap', reason, cursor });
  }

  /**
   * Resolves with true when the queue is half empty or the subscription has ended, with false after `limitMs`. One
   * caller at a time. It never rejects.
   */
  room(limitMs: number): Promise<boolean> {
    if (this.isEnded || this.#isHalfEmpty) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (found: boolean): void => {
        clearTimeout(timer);
        this.#hasRoom = null;
        resolve(found);
      };
      const timer = setTimeout(() => done(false), limitMs);
      this.#hasRoom = () => done(true);
    });
  }

  /** What waits is still read, except by a reader that is too slow: it resumes from its last cursor instead. */
  end(reason: EndReason): void {
    if (this.isEnded) return;
    this.#reason = reason;
    if (reason === 'too-slow' || reason === 'closed') this.#clear();
    this.#abort?.abort();
    this.#hasRoom?.();
    for (const reader of this.#readers.splice(0)) reader(DONE);
    this.options.onEnd(this);
    this.#resolveEnded(reason);
  }

  /** The reader wants no more: what waits is dropped. */
  close(): void {
    this.end('closed');
    this.#clear();
  }

  /** The next event; `done` after the end. It never rejects. */
  next(): Promise<Result> {
    const event = this.#events[this.#first];
    if (event === undefined) {
      if (this.isEnded) return Promise.resolve(DONE);
      return new Promise((resolve) => this.#readers.push(resolve));
    }
    this.#first++;
    this.#bytes -= bytesOf(event);
    if (event.kind === 'bookmark') this.#bookmarks--;
    if (this.#first === this.#events.length) this.#clear();
    else if (this.#first >= 1024) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
    if (this.#hasRoom && this.#isHalfEmpty) this.#hasRoom();
    return Promise.resolve({ value: event, done: false });
  }

  /** What leaving a loop calls; it closes. It never rejects. */
  return(): Promise<Result> {
    this.close();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #clear(): void {
    this.#events = [];
    this.#first = 0;
    this.#bookmarks = 0;
    this.#bytes = 0;
  }
}

const bytesOf = (event: ShadowEvent): number => ('record' in event ? (event.record.bytes ?? 0) : 0);
