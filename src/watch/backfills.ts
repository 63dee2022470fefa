import { setTimeout as pause } from 'node:timers/promises';
import { sameHistory, type Position } from '../store/position.js';
import { FeedGap, type ShadowFeed } from '../store/shadow-feed.js';
import { reasonOf } from '../telemetry/reason.js';
import type { Logger } from '../telemetry/logger.js';
import { Backfill, BackfillReader } from './backfill.js';
import { allSeen } from './feed-events.js';
import type { RecentChanges } from './recent-changes.js';
import { POLITE_MS, type StoreReaderLimit } from './store-reader-limit.js';
import type { Cursor } from './subscription.js';
import type { SubscriptionQueue } from './subscription-queue.js';

/** Milliseconds after which a backfill ends while others wait for the store: altogether, and without any progress. */
const SLICE_MS = 5_000;
/** Backfills at once: each costs a connection to the store, and a second one is needed only by readers that stall. */
const MAX_RUNNING = 3;
/** Milliseconds that a backfill waits for more readers before it starts. */
const GATHER_MS = 20;
/** Milliseconds between looks at the slice. */
const LOOK_MS = 500;
/** Milliseconds before another attempt after an error that the feed should have dealt with itself. */
const RETRY_MS = 1_000;

export interface BackfillsOptions {
  readonly feed: ShadowFeed;
  readonly logger: Logger;
  readonly limit: StoreReaderLimit;
  /** The ring; null while the position of the store is unknown. */
  readonly history: () => RecentChanges | null;
}

/**
 * Lets all readers that are older than the ring share backfills: a new one serves everybody that waits, from the oldest
 * cursor on, and a later reader joins a running one that has not passed its cursor.
 */
export class Backfills {
  readonly #waiting = new Set<BackfillReader>();
  readonly #running = new Map<Backfill, AbortController>();
  readonly #stop = new AbortController();
  #isStarting = false;
  /** The newest position from which the store could not continue: everything up to it is compacted. */
  #compacted: Position | null = null;
  /** The oldest position from which the store could continue since then. */
  #available: Position | null = null;

  constructor(private readonly options: BackfillsOptions) {}

  /**
   * Delivers to the queue what follows the cursor, until the ring holds the rest, the queue stays full, or others have
   * waited long enough for the store. Resolves with the cursor that was reached; null when the reader has ended.
   * @throws FeedGap
   */
  async deliver(queue: SubscriptionQueue, from: Cursor): Promise<Cursor | null> {
    if (queue.isEnded) return null;
    const reader = new BackfillReader(queue, from);
    const gone = this.#compacted;
    if (gone && sameHistory(gone, from) && reader.start.revision <= gone.revision) throw new FeedGap('compacted');
    const leave = (): void => {
      if (this.#waiting.delete(reader)) reader.leave(from);
      for (const backfill of this.#running.keys()) backfill.drop(queue);
    };
    queue.signal.addEventListener('abort', leave, { once: true });
    if (![...this.#running.keys()].some((backfill) => backfill.attach(reader))) {
      this.#waiting.add(reader);
      void this.#start();
    }
    try {
      const cursor = await reader.reached;
      return queue.isEnded ? null : cursor;
    } finally {
      queue.signal.removeEventListener('abort', leave);
    }
  }

  /** Ends all backfills; their readers leave. No errors. */
  close(): void {
    this.#stop.abort();
    for (const abort of this.#running.values()) abort.abort();
  }

  /** Starts one backfill for all that wait, as soon as the store may be asked. */
  async #start(): Promise<void> {
    if (this.#isStarting || this.#running.size >= MAX_RUNNING) return;
    this.#isStarting = true;
    const { signal } = this.#stop;
    const endTurn = await this.options.limit.acquire(signal);
    await pause(GATHER_MS, undefined, { signal }).catch(() => undefined);
    this.#isStarting = false;
    if (!endTurn) return;
    const group = signal.aborted ? null : this.#nextGroup();
    const running = group && this.#run(group).catch((error: unknown) => this.#report(error));
    if (this.#waiting.size > 0) void this.#start();
    await running;
    endTurn();
    if (this.#waiting.size > 0) void this.#start();
  }

  /** Whether anybody else waits for the store. */
  get #isInDemand(): boolean {
    return this.#waiting.size > 0 || this.options.limit.waiting > 0;
  }

  /** A backfill with its readers: all that wait and begin where it does or later. */
  #nextGroup(): { backfill: Backfill; abort: AbortController } | null {
    const readers = [...this.#waiting].sort((a, b) => a.start.revision - b.start.revision);
    const first = this.#firstOf(readers);
    if (!first) return null;
    const abort = new AbortController();
    const backfill = new Backfill({
      start: first.start,
      politeMs: () => (this.#isInDemand ? POLITE_MS.inDemand : POLITE_MS.alone),
      onEmpty: () => abort.abort(),
    });
    for (const reader of readers) if (backfill.attach(reader)) this.#waiting.delete(reader);
    return { backfill, abort };
  }

  /** The oldest reader; after a compaction the middle one of those for which it is unknown whether they are too old. */
  #firstOf(readers: readonly BackfillReader[]): BackfillReader | undefined {
    if (!this.#compacted) return readers[0];
    const limit = this.#available?.revision ?? Infinity;
    const unknown = readers.filter(({ start }) => start.revision < limit);
    return unknown[unknown.length >>> 1] ?? readers[0];
  }

  async #run({ backfill, abort }: { backfill: Backfill; abort: AbortController }): Promise<void> {
    const { feed, history } = this.options;
    this.#running.set(backfill, abort);
    const start = backfill.position;
    const began = performance.now();
    const isOver = (): boolean => performance.now() - began > SLICE_MS && this.#isInDemand;
    const look = setInterval(() => isOver() && abort.abort(), LOOK_MS);
    try {
      for await (const batch of feed.after(start, abort.signal)) {
        this.#noteAvailable(start);
        await backfill.offer(batch);
        if (backfill.size === 0 || history()?.place(allSeen(backfill.position)) !== 'older') break;
      }
    } catch (error) {
      if (!(error instanceof FeedGap)) throw error;
      if (error.reason === 'compacted') this.#noteCompaction(backfill.position, error);
      backfill.fail(error);
    } finally {
      clearInterval(look);
      this.#running.delete(backfill);
      backfill.finish();
    }
  }

  #noteAvailable(start: Position): void {
    const known = this.#available;
    if (!known || !sameHistory(known, start) || start.revision < known.revision) this.#available = start;
  }

  /** Compaction removes everything up to a revision, so all that wait for something older are told at once. */
  #noteCompaction(position: Position, gap: FeedGap): void {
    this.#compacted = position;
    if (this.#available && this.#available.revision <= position.revision) this.#available = null;
    for (const reader of [...this.#waiting]) {
      if (!sameHistory(reader.start, position) || reader.start.revision > position.revision) continue;
      this.#waiting.delete(reader);
      reader.fail(gap);
    }
  }

  /** The readers have left with their cursors and ask again. The pause keeps the turn, which bounds the attempts. */
  async #report(error: unknown): Promise<void> {
    this.options.logger.error({ reason: reasonOf(error) }, 'a backfill of watch streams failed; trying again');
    await pause(RETRY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }
}
