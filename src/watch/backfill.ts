import { sameHistory, type Position } from '../store/position.js';
import type { FeedGap } from '../store/shadow-feed.js';
import { type FeedBatch } from '../store/shadow-feed.js';
import { allSeen, deliver, eventAt, startOf } from './feed-events.js';
import { LiveSubscriptions } from './live-subscriptions.js';
import type { ShadowEvent, Cursor } from './subscription.js';
import type { SubscriptionQueue } from './subscription-queue.js';

/** Milliseconds for which the readers of one backfill together may hold up the others; then full ones are let go. */
const PATIENCE_MS = 500;
/** Milliseconds that full readers get at once while others are held up. */
const GRACE_MS = 100;

/** A reader that waits for, or takes part in, a backfill. */
export class BackfillReader {
  readonly reached: Promise<Cursor>;
  #resolve!: (cursor: Cursor) => void;
  #reject!: (gap: FeedGap) => void;
  readonly start: Position;

  constructor(
    readonly queue: SubscriptionQueue,
    readonly from: Cursor,
  ) {
    this.start = startOf(from);
    queue.startAfter(from);
    this.reached = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The reader takes part no longer; it has received everything up to `cursor`. */
  leave(cursor: Cursor): void {
    this.#resolve(cursor);
  }

  /** What follows the reader's position is no longer in the store. */
  fail(gap: FeedGap): void {
    this.#reject(gap);
  }
}

export interface BackfillOptions {
  /** Where the batches begin. */
  readonly start: Position;
  /** Milliseconds that readers get to take something when all of them are full; asked each time. */
  readonly politeMs: () => number;
  /** Called when the last reader has left. */
  readonly onEmpty: () => void;
}

/**
 * One pass over the history in the store, shared by all readers that wait for a part of it. Each record costs only the
 * readers that it matches. A reader whose queue stays full leaves with its exact cursor and does not hold up the rest.
 */
export class Backfill {
  readonly #readers = new Map<SubscriptionQueue, BackfillReader>();
  readonly #index = new LiveSubscriptions();
  #position: Position;
  #patience = PATIENCE_MS;

  constructor(private readonly options: BackfillOptions) {
    this.#position = options.start;
  }

  /** The last revision that was begun. */
  get position(): Position {
    return this.#position;
  }

  get size(): number {
    return this.#readers.size;
  }

  /** Whether everything that the reader lacks is still to come; from then on it takes part. */
  attach(reader: BackfillReader): boolean {
    const { queue, start } = reader;
    if (!sameHistory(start, this.#position) || start.revision < this.#position.revision) return false;
    this.#readers.set(queue, reader);
    this.#index.add(queue);
    return true;
  }

  /** Ends the part of a reader that has gone. */
  drop(queue: SubscriptionQueue): void {
    this.#release(queue, null);
  }

  /** Hands a revision to the readers. Resolves when each has it or has left; it never rejects. */
  async offer(batch: FeedBatch): Promise<void> {
    this.#position = batch.position;
    const { revision } = batch.position;
    const full = new Map<SubscriptionQueue, number>();
    for (const [index, record] of batch.records.entries()) {
      let event: ShadowEvent | null | undefined;
      this.#index.visit(record, (queue) => {
        if (full.has(queue) || !queue.wants(revision, index)) return;
        if (queue.isFull) return void full.set(queue, index);
        if (event === undefined) event = eventAt(batch, index);
        if (event) queue.push(event);
      });
    }
    if (full.size > 0) await this.#waitFor(full, batch);
  }

  /** All readers leave with what they have received. */
  finish(): void {
    for (const queue of [...this.#readers.keys()]) this.#release(queue, null);
  }

  /** What follows the present position is gone: so are the readers that need it. The others look for another way. */
  fail(gap: FeedGap): void {
    for (const [queue, reader] of [...this.#readers]) {
      if (gap.reason === 'epoch-changed' || reader.start.revision <= this.#position.revision) reader.fail(gap);
      this.#release(queue, null);
    }
  }

  /** Gives full readers some time, less when they hold others up; those that are still full then leave. */
  async #waitFor(full: Map<SubscriptionQueue, number>, batch: FeedBatch): Promise<void> {
    const isAlone = full.size === this.#readers.size;
    const began = performance.now();
    const end = began + (isAlone ? this.options.politeMs() : Math.min(GRACE_MS, this.#patience));
    while (full.size > 0) {
      const left = end - performance.now();
      if (left <= 0) break;
      await Promise.all([...full.keys()].map((queue) => queue.room(left)));
      for (const [queue, index] of [...full]) {
        const { seen } = queue.isEnded ? allSeen(batch.position) : deliver(batch, index, queue);
        if (seen === null) full.delete(queue);
        else full.set(queue, seen);
      }
    }
    if (!isAlone) this.#patience -= performance.now() - began;
    for (const [queue, seen] of full) this.#release(queue, { ...allSeen(batch.position), seen });
  }

  #release(queue: SubscriptionQueue, at: Cursor | null): void {
    const reader = this.#readers.get(queue);
    if (!reader) return;
    this.#readers.delete(queue);
    this.#index.delete(queue);
    const isAhead = reader.from.revision > this.#position.revision;
    reader.leave(at ?? (isAhead ? reader.from : allSeen(this.#position)));
    if (this.#readers.size === 0) this.options.onEmpty();
  }
}
