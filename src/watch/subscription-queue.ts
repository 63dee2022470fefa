import { Fifo } from '../resilience/fifo.js';
import { Signal } from '../resilience/signal.js';
import type { GapReason, ShadowFilter } from '../store/shadow-feed.js';
import { EventVisits } from './event-visits.js';
import type { QueueMemory } from './queue-memory.js';
import type { Cursor, EndReason, ShadowEvent, Subscription, Visit } from './subscription.js';

type Result = IteratorResult<ShadowEvent, undefined>;

/** Bytes of an average record: a queue holds as many as all its records would have at this size, or one. */
const AVERAGE_BYTES = 4 * 1024;
/** Records that may wait for a reader that catches up: what comes next can be read from the store or the ring again. */
const CATCH_UP_RECORDS = 64;

const DONE: Result = { value: undefined, done: true };

export interface QueueOptions {
  readonly filter: ShadowFilter;
  /** Records that may wait. */
  readonly maxQueued: number;
  readonly onGap: 'end' | 'notify';
  /** Memory that the queue shares with all others of the hub. */
  readonly memory: QueueMemory;
  /** Called once, when it ends. */
  readonly onEnd: (queue: SubscriptionQueue, reason: EndReason) => void;
}

/** The reader's end of a subscription, and the bounded queue to it. It begins as the queue of a reader that catches up. */
export class SubscriptionQueue implements Subscription, AsyncIterator<ShadowEvent, undefined> {
  readonly ended: Promise<EndReason>;
  #resolveEnded!: (reason: EndReason) => void;
  #reason: EndReason | null = null;
  readonly #events = new Fifo<ShadowEvent>();
  /** Bookmarks in the queue. They are few by themselves and take no room from the records. */
  #bookmarks = 0;
  /** Bytes in the store of the records in the queue. */
  #bytes = 0;
  readonly #readers = new Fifo<(result: Result) => void>();
  #visits: EventVisits | null = null;
  readonly #shrunk = new Signal();
  #abort: AbortController | null = null;
  #isLive = false;
  /** Milliseconds of the monotonic clock: the last take, or the moment since which something waits. */
  #silentSince = 0;
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
    return this.#events.size - this.#bookmarks;
  }

  /** Bytes in the store of the records that wait for the reader. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds for which the reader has taken nothing of what waits; 0 when nothing waits. */
  get silentMs(): number {
    return this.size === 0 ? 0 : performance.now() - this.#silentSince;
  }

  /** Whether no more records fit; for a reader that catches up also while the memory of all queues is scarce. */
  get isFull(): boolean {
    if (!this.#isLive && this.options.memory.isScarce) return true;
    const { size } = this;
    return size >= this.#maxRecords || (this.#bytes >= this.#maxRecords * AVERAGE_BYTES && size > 0);
  }

  get #hasRoom(): boolean {
    if (!this.#isLive && !this.options.memory.hasRoom) return false;
    const { size } = this;
    const half = this.#maxRecords / 2;
    return size === 0 || (size <= half && this.#bytes <= half * AVERAGE_BYTES);
  }

  get #maxRecords(): number {
    const { maxQueued } = this.options;
    return this.#isLive ? maxQueued : Math.min(maxQueued, CATCH_UP_RECORDS);
  }

  /** Aborted at the end of the subscription. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.isEnded) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Sets what the reader has received already; `wants` refuses it from here on. */
  startAfter(cursor: Cursor): void {
    this.#fromRevision = cursor.revision;
    this.#fromSeen = cursor.seen;
  }

  /** From here on changes cannot wait elsewhere, so the queue takes as many as it was opened for. */
  goLive(): void {
    this.#isLive = true;
  }

  /** @param index of the record in its revision */
  wants(revision: number, index: number): boolean {
    if (revision !== this.#fromRevision) return revision > this.#fromRevision;
    return this.#fromSeen !== null && index >= this.#fromSeen;
  }

  /** Whether the reader started after `revision`: a bookmark of that revision would take it back. */
  isBefore(revision: number): boolean {
    return revision < this.#fromRevision;
  }

  /** Whether no event came, and none waits, since the last call. */
  takeIdle(): boolean {
    const idle = !this.#busy && this.#events.size === 0;
    this.#busy = false;
    return idle;
  }

  /** Hands the event to a waiting reader or keeps it; one record more than there is room for ends the subscription. */
  push(event: ShadowEvent): void {
    if (this.isEnded) return;
    const isBookmark = event.kind === 'bookmark';
    if (!isBookmark) this.#busy = true;
    if (this.#visits?.isFree) return this.#visits.take(event);
    const reader = this.#readers.take();
    if (reader) return reader({ value: event, done: false });
    if (isBookmark) this.#bookmarks++;
    else if (event.kind !== 'gap' && this.isFull) return this.end('too-slow');
    if (this.#events.size === 0) this.#silentSince = performance.now();
    this.#bytes += bytesOf(event);
    this.#events.push(event);
    this.options.memory.hold(event);
  }

  /** Ends the subscription or, when its reader wants that, reports the hole to it. */
  gap(reason: GapReason, cursor: Cursor): void {
    if (this.options.onGap === 'end') return this.end(reason);
    // A reader that reloads needs nothing of what waited, so there is always room for the gap event.
    if (this.isFull) this.#clear();
    this.push({ kind: 'gap', reason, cursor });
  }

  /**
   * Resolves with true when the queue is half empty, and memory is not scarce, or when the subscription has ended; with
   * false after `limitMs`. It never rejects.
   */
  async room(limitMs: number): Promise<boolean> {
    const hasRoom = (): boolean => this.isEnded || this.#hasRoom;
    if (hasRoom()) return true;
    const stop = this.options.memory.onRoom(this.#shrunk);
    try {
      return await this.#shrunk.until(hasRoom, { limitMs });
    } finally {
      stop();
    }
  }

  /** What waits is still read, except by a reader that is too slow: it resumes from its last cursor instead. */
  end(reason: EndReason): void {
    if (this.isEnded) return;
    this.#reason = reason;
    if (reason === 'too-slow' || reason === 'closed') this.#clear();
    this.#abort?.abort();
    this.#shrunk.notify();
    for (let reader = this.#readers.take(); reader; reader = this.#readers.take()) reader(DONE);
    this.#visits?.end();
    this.options.onEnd(this, reason);
    this.#resolveEnded(reason);
  }

  /** Ends the subscription and drops what waits. */
  close(): void {
    this.end('closed');
    this.#clear();
  }

  each(visit: Visit): Promise<boolean> {
    const visits = new EventVisits(visit, () => this.#take());
    this.#visits = visits;
    visits.flow();
    if (this.isEnded) visits.end();
    return visits.over;
  }

  /** The next event; `done` after the end. It never rejects. */
  next(): Promise<Result> {
    const event = this.#take();
    if (event !== null) return Promise.resolve({ value: event, done: false });
    if (this.isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  #take(): ShadowEvent | null {
    const event = this.#events.take();
    if (event === undefined) return null;
    this.#silentSince = performance.now();
    this.#bytes -= bytesOf(event);
    if (event.kind === 'bookmark') this.#bookmarks--;
    this.options.memory.release(event);
    if (this.#shrunk.waiting > 0 && this.#hasRoom) this.#shrunk.notify();
    return event;
  }

  /** Closes: leaving a loop calls it. It never rejects. */
  return(): Promise<Result> {
    this.close();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #clear(): void {
    for (const event of this.#events) this.options.memory.release(event);
    this.#events.clear();
    this.#bookmarks = 0;
    this.#bytes = 0;
  }
}

const bytesOf = (event: ShadowEvent): number => ('record' in event ? (event.record.bytes ?? 0) : 0);
