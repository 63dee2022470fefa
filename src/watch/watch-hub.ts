import { setTimeout as pause } from 'node:timers/promises';
import type { WatchConfig } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { BackOff } from '../resilience/back-off.js';
import { evenly } from '../resilience/evenly.js';
import { Signal } from '../resilience/signal.js';
import type { Position } from '../store/position.js';
import { FeedGap, withoutPresence, type FeedBatch, type GapReason, type ShadowFeed } from '../store/shadow-feed.js';
import { FeedMetrics } from '../telemetry/feed-metrics.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { Backfills } from './backfills.js';
import { CatchUp, type CatchUpHub } from './catch-up.js';
import { allSeen, eventAt } from './feed-events.js';
import { QueueMemory } from './queue-memory.js';
import { RecentChanges } from './recent-changes.js';
import { LiveSubscriptions } from './live-subscriptions.js';
import { SubscriptionQueue } from './subscription-queue.js';
import type {
  Cursor,
  EndReason,
  FeedListener,
  ShadowEvent,
  SubscribeOptions,
  Subscription,
  WatchHub,
} from './subscription.js';
import { StoreReaderLimit } from './store-reader-limit.js';

/** Streams and lists that may be open at the store at once; further readers wait for their turn. */
const STORE_READERS = 8;
/** Milliseconds for which a reader that catches up may take nothing. */
const STUCK_MS = 30_000;
/** Milliseconds without taking anything after which a reader gives back memory that others wait for. */
const SILENT_MS = 1_000;
/** Milliseconds between two searches for such readers: all that wait for memory ask for one, and each looks at all readers. */
const RELIEVE_MS = 100;
/** Milliseconds: first and longest pause while the store cannot be asked, each +-50 %. */
const RETRY_MS = { first: 100, longest: 2_000 };

/** Limits that are not configured; tests set them. */
export interface HubLimits {
  readonly storeReaders?: number;
  /** Milliseconds for which a reader that catches up may take nothing. */
  readonly stuckMs?: number;
}

/** One follower of the feed; many bounded readers. Delivery is synchronous: no promise per event and reader. */
export class ShadowWatchHub implements WatchHub {
  readonly #abort = new AbortController();
  readonly #subscriptions = new Set<SubscriptionQueue>();
  /** Readers that are live; the others are catching up. */
  readonly #live = new LiveSubscriptions();
  readonly #listeners = new Set<FeedListener>();
  readonly #catchUp: CatchUpHub;
  readonly #memory: QueueMemory;
  readonly #backfills: Backfills;
  #history: RecentChanges | null = null;
  readonly #positioned = new Signal();
  #missed: GapReason | null = null;
  #running: Promise<void> | null = null;
  #bookmarks: NodeJS.Timeout | undefined;
  #relievedAt = -Infinity;
  #trouble = 'the hub has not been started';

  constructor(
    private readonly feed: ShadowFeed,
    private readonly config: WatchConfig,
    private readonly logger: Logger,
    limits: HubLimits = {},
    private readonly metrics: FeedMetrics = new FeedMetrics(),
  ) {
    this.#tellStanding();
    const limit = new StoreReaderLimit(limits.storeReaders ?? STORE_READERS);
    this.#memory = new QueueMemory(config.maxBytes);
    this.#backfills = new Backfills({ feed, logger, limit, history: () => this.#history });
    this.#catchUp = {
      feed,
      logger,
      limit,
      stuckMs: limits.stuckMs ?? STUCK_MS,
      history: (signal) => this.#whenPositioned(signal),
      backfill: (queue, cursor) => this.#backfills.deliver(queue, cursor),
      relieve: () => this.#endSilent(),
      join: (queue, cursor) => this.#join(queue, cursor),
      found: (from) => metrics.catchUps.add(metrics.caughtUp[from]),
    };
  }

  get position(): Position | null {
    return this.#history?.position ?? null;
  }

  get health(): Health {
    if (this.#abort.signal.aborted) return { ok: false, reason: 'the hub is closed' };
    return this.#history === null || this.#missed ? { ok: false, reason: this.#trouble } : this.feed.health;
  }

  /** Estimated bytes that wait for all readers together. */
  get queuedBytes(): number {
    return this.#memory.used;
  }

  /** Numbers of readers, live readers by place, and listeners: for metrics, and for tests of leaks. */
  get counts(): { readonly subscriptions: number; readonly places: number; readonly listeners: number } {
    return { subscriptions: this.#subscriptions.size, places: this.#live.size, listeners: this.#listeners.size };
  }

  async start(): Promise<void> {
    if (!this.#running) {
      this.#trouble = 'waiting for the first answer of the store';
      this.#bookmarks = setInterval(() => this.#bookmark(), this.config.bookmarkMs).unref();
      this.#running = this.#followStore();
    }
    await this.#whenPositioned(this.#abort.signal);
  }

  subscribe(options: SubscribeOptions): Subscription {
    if (this.#abort.signal.aborted) throw new ServiceError('draining');
    const { maxSubscriptions, maxQueued } = this.config;
    if (this.#subscriptions.size >= maxSubscriptions) {
      throw new ServiceError('tooManyRequests', `this node serves ${maxSubscriptions} streams at most; try another`);
    }
    const queue = new SubscriptionQueue({
      filter: options.filter,
      maxQueued: Math.max(1, options.maxQueued ?? maxQueued),
      onGap: options.onGap ?? 'end',
      memory: this.#memory,
      onEnd: (ended, reason) => this.#leave(ended, reason),
    });
    this.#subscriptions.add(queue);
    if (options.from !== 'now') void new CatchUp(this.#catchUp, queue).bring(options.from);
    else if (!this.#history) this.#live.add(queue);
    else {
      const cursor = allSeen(this.#history.position);
      this.#join(queue, cursor);
      queue.push({ kind: 'bookmark', cursor });
    }
    return queue;
  }

  follow(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async endEvenly(graceMs: number, withinMs: number): Promise<void> {
    if (graceMs > 0 && this.#subscriptions.size > 0) await pause(graceMs);
    await evenly([...this.#subscriptions], withinMs, (queue) => queue.end('draining'));
  }

  async close(): Promise<void> {
    this.#abort.abort();
    clearInterval(this.#bookmarks);
    for (const queue of [...this.#subscriptions]) queue.end('draining');
    this.#backfills.close();
    this.#listeners.clear();
    await this.#running;
  }

  /** Start is recovery: at boot, after a hole and after losing the store it is the same loop. */
  async #followStore(): Promise<void> {
    const { signal } = this.#abort;
    for (const backOff = new BackOff(RETRY_MS); !signal.aborted;) {
      try {
        const history = await this.#begin(signal);
        for await (const batch of this.feed.after(history.position, signal)) {
          backOff.reset();
          this.#apply(history, batch);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof FeedGap) {
          this.#missed = error.reason;
          this.metrics.gaps.add(this.metrics.missed[error.reason]);
          this.#trouble = `changes were missed (${error.reason}); waiting for the present position`;
          this.logger.warn({ reason: error.reason, position: this.#history?.position }, 'the feed has a hole');
        } else {
          this.#trouble = `the store does not answer: ${reasonOf(error)}`;
          this.logger.warn({ reason: this.#trouble }, 'cannot follow the store; trying again');
        }
      }
      await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  async #begin(signal: AbortSignal): Promise<RecentChanges> {
    if (this.#history && !this.#missed) return this.#history;
    const head = await this.feed.head(signal);
    const history = new RecentChanges(head, this.config.historyRecords);
    this.#history = history;
    // Only now: a reader that came while the position was unknown has the same hole.
    if (this.#missed) this.#reportGap(this.#missed, allSeen(head));
    else this.#reportPosition(allSeen(head));
    this.#missed = null;
    this.#positioned.notify();
    return history;
  }

  #apply(history: RecentChanges, batch: FeedBatch): void {
    history.append(batch);
    const { events, stages, stageOf } = this.metrics;
    events.add(0, batch.records.length);
    const shadows = withoutPresence(batch);
    const start = performance.now();
    // Devices first: thousands of readers take their time.
    this.#inform((listener) => listener.batch(shadows));
    const informed = performance.now();
    stages.observe(stageOf.publish, informed - start);
    if (this.#live.size === 0) return;
    this.#deliver(batch);
    stages.observe(stageOf.deliver, performance.now() - informed);
  }

  #deliver(batch: FeedBatch): void {
    const { revision } = batch.position;
    for (const [index, record] of batch.records.entries()) {
      let event: ShadowEvent | null | undefined;
      this.#live.visit(record, (queue) => {
        if (!queue.wants(revision, index)) return;
        if (event === undefined) event = eventAt(batch, index);
        if (event) queue.push(event);
      });
      if (this.#memory.isExceeded) this.#endLongest();
    }
  }

  /** Readers that came before the position was known begin here, as later readers do. */
  #reportPosition(cursor: Cursor): void {
    for (const queue of this.#live.all()) {
      this.#join(queue, cursor);
      queue.push({ kind: 'bookmark', cursor });
    }
  }

  #reportGap(reason: GapReason, cursor: Cursor): void {
    for (const queue of this.#live.all()) {
      queue.startAfter(cursor);
      queue.gap(reason, cursor);
    }
    this.#inform((listener) => listener.gap(reason));
  }

  #inform(news: (listener: FeedListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        news(listener);
      } catch (error) {
        this.logger.error({ err: error }, 'a listener of the feed failed');
      }
    }
  }

  /** Everything up to the position has been offered to every live reader, so an idle reader resumes from there. */
  #bookmark(): void {
    if (!this.#history || this.#missed) return;
    const cursor = allSeen(this.#history.position);
    const event: ShadowEvent = { kind: 'bookmark', cursor };
    for (const queue of this.#live.all()) {
      if (queue.takeIdle() && !queue.isBefore(cursor.revision)) queue.push(event);
    }
  }

  #join(queue: SubscriptionQueue, cursor: Cursor): void {
    if (queue.isEnded) return;
    queue.startAfter(cursor);
    queue.goLive();
    this.#live.add(queue);
  }

  #leave(queue: SubscriptionQueue, reason: EndReason): void {
    this.metrics.ended.add(this.metrics.endedBy[reason]);
    this.#subscriptions.delete(queue);
    this.#live.delete(queue);
  }

  #tellStanding(): void {
    const { revision, streams, queuedBytes, historyRecords } = this.metrics;
    revision.read = () => this.#history?.position.revision ?? 0;
    streams.read = () => this.#subscriptions.size;
    queuedBytes.read = () => this.#memory.used;
    historyRecords.read = () => this.#history?.size ?? 0;
  }

  /** Live readers cannot wait, so the longest queues make room for them. */
  #endLongest(): void {
    const queues = [...this.#subscriptions].filter((queue) => queue.size > 0);
    this.#endUntilRoom(queues.sort((a, b) => b.bytes - a.bytes || b.size - a.size));
  }

  /** Readers that catch up wait for memory; those that took nothing for a while give theirs back. */
  #endSilent(): void {
    const now = performance.now();
    if (now - this.#relievedAt < RELIEVE_MS) return;
    this.#relievedAt = now;
    const queues = [...this.#subscriptions].filter((queue) => queue.silentMs > SILENT_MS);
    this.#endUntilRoom(queues.sort((a, b) => b.silentMs - a.silentMs));
  }

  #endUntilRoom(queues: readonly SubscriptionQueue[]): void {
    for (const queue of queues) {
      if (this.#memory.hasRoom) return;
      queue.end('too-slow');
    }
  }

  async #whenPositioned(signal: AbortSignal): Promise<RecentChanges | null> {
    await this.#positioned.until(() => this.#history !== null, { signal });
    return this.#history;
  }
}
