import { setTimeout as pause } from 'node:timers/promises';
import type { WatchConfig } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { FeedGap, type FeedBatch, type GapReason, type ShadowFeed } from '../store/shadow-feed.js';
import type { Logger } from '../telemetry/logger.js';
import { allSeen, CatchUp, changeEvent, type CatchUpHub } from './catch-up.js';
import { RecentChanges } from './recent-changes.js';
import { LiveSubscriptions } from './live-subscriptions.js';
import { SubscriptionQueue } from './subscription-queue.js';
import type { Cursor, FeedListener, ShadowEvent, SubscribeOptions, Subscription, WatchHub } from './subscription.js';
import { StoreReaderLimit } from './store-reader-limit.js';

/** Readers that may read from the store at once; the others wait for their turn. */
const STORE_READERS = 8;
/** Milliseconds for which a reader that catches up may take nothing. */
const STUCK_MS = 30_000;
/** Milliseconds: first and longest pause while the store cannot be asked, each +-50 %. */
const BACK_OFF = { first: 100, longest: 2_000 };

/** One follower of the feed; many bounded readers. Delivery is synchronous: no promise per event and reader. */
export class ShadowWatchHub implements WatchHub {
  readonly #abort = new AbortController();
  readonly #subscriptions = new Set<SubscriptionQueue>();
  /** Those that are live; the others are catching up. */
  readonly #live = new LiveSubscriptions();
  readonly #listeners = new Set<FeedListener>();
  readonly #catchUp: CatchUpHub;
  #history: RecentChanges | null = null;
  #whenPositioned = new Set<() => void>();
  #missed: GapReason | null = null;
  #running: Promise<void> | null = null;
  #bookmarks: NodeJS.Timeout | undefined;
  #trouble = 'the hub has not been started';

  constructor(
    private readonly feed: ShadowFeed,
    private readonly config: WatchConfig,
    private readonly logger: Logger,
    limits: { readonly storeReaders?: number; readonly stuckMs?: number } = {},
  ) {
    this.#catchUp = {
      feed,
      logger,
      turns: new StoreReaderLimit(limits.storeReaders ?? STORE_READERS),
      stuckMs: limits.stuckMs ?? STUCK_MS,
      history: (signal) => this.#positioned(signal),
      join: (queue, cursor) => this.#join(queue, cursor),
    };
  }

  get health(): { readonly ok: boolean; readonly reason: string } {
    if (this.#abort.signal.aborted) return { ok: false, reason: 'the hub is closed' };
    return this.#history === null || this.#missed ? { ok: false, reason: this.#trouble } : this.feed.health;
  }

  /** How many readers, live readers by place, and listeners there are: for metrics, and for tests of leaks. */
  get counts(): { readonly subscriptions: number; readonly places: number; readonly listeners: number } {
    return { subscriptions: this.#subscriptions.size, places: this.#live.size, listeners: this.#listeners.size };
  }

  async start(): Promise<void> {
    if (!this.#running) {
      this.#trouble = 'waiting for the first answer of the store';
      this.#bookmarks = setInterval(() => this.#bookmark(), this.config.bookmarkMs).unref();
      this.#running = this.#run();
    }
    await this.#positioned(this.#abort.signal);
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
      onEnd: (ended) => this.#leave(ended),
    });
    this.#subscriptions.add(queue);
    if (options.from !== 'now') void new CatchUp(this.#catchUp, queue).run(options.from);
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

  async close(): Promise<void> {
    this.#abort.abort();
    clearInterval(this.#bookmarks);
    for (const queue of [...this.#subscriptions]) queue.end('draining');
    this.#listeners.clear();
    await this.#running;
  }

  /** Start is recovery: at boot, after a hole and after losing the store it is the same loop. */
  async #run(): Promise<void> {
    const { signal } = this.#abort;
    for (let failures = 0; !signal.aborted;) {
      try {
        const history = await this.#begin(signal);
        for await (const batch of this.feed.after(history.position, signal)) {
          failures = 0;
          this.#apply(history, batch);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof FeedGap) {
          this.#missed = error.reason;
          this.#trouble = `changes were missed (${error.reason}); waiting for the present position`;
          this.logger.warn({ reason: error.reason, position: this.#history?.position }, 'the feed has a hole');
        } else {
          this.#trouble = `the store does not answer: ${error instanceof Error ? error.message : String(error)}`;
          this.logger.warn({ reason: this.#trouble }, 'cannot follow the store; trying again');
        }
      }
      const ms = Math.min(BACK_OFF.first * 2 ** failures++, BACK_OFF.longest) * (0.5 + Math.random());
      await pause(ms, undefined, { signal }).catch(() => undefined);
    }
  }

  async #begin(signal: AbortSignal): Promise<RecentChanges> {
    if (this.#history && !this.#missed) return this.#history;
    const head = await this.feed.head(signal);
    const history = new RecentChanges(head, this.config.historyRecords);
    this.#history = history;
    // Only now: a reader that came while the position was unknown has the same hole.
    if (this.#missed) this.#tellGap(this.#missed, allSeen(head));
    else this.#tellPosition(allSeen(head));
    this.#missed = null;
    for (const resolve of [...this.#whenPositioned]) resolve();
    return history;
  }

  #apply(history: RecentChanges, batch: FeedBatch): void {
    history.append(batch);
    const { revision } = batch.position;
    for (const [index, record] of batch.records.entries()) {
      let event: ShadowEvent | null = null;
      this.#live.visit(record.key, (queue) => {
        if (!queue.wants(revision, index)) return;
        event ??= changeEvent(batch, index);
        if (event) queue.push(event);
      });
    }
    this.#tell((listener) => listener.batch(batch));
  }

  /** Readers that came before there was a position begin here, as those begin who come later. */
  #tellPosition(cursor: Cursor): void {
    for (const queue of this.#live.all()) {
      this.#join(queue, cursor);
      queue.push({ kind: 'bookmark', cursor });
    }
  }

  #tellGap(reason: GapReason, cursor: Cursor): void {
    for (const queue of this.#live.all()) {
      queue.startAfter(cursor);
      queue.gap(reason, cursor);
    }
    this.#tell((listener) => listener.gap(reason));
  }

  #tell(news: (listener: FeedListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        news(listener);
      } catch (error) {
        this.logger.error({ err: error }, 'a listener of the feed failed');
      }
    }
  }

  /** Everything up to the position has been offered to every live reader, so that is where an idle one stands. */
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
    this.#live.add(queue);
  }

  #leave(queue: SubscriptionQueue): void {
    this.#subscriptions.delete(queue);
    this.#live.delete(queue);
  }

  #positioned(signal: AbortSignal): Promise<RecentChanges | null> {
    if (this.#history || signal.aborted) return Promise.resolve(this.#history);
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#whenPositioned.delete(done);
        resolve(this.#history);
      };
      this.#whenPositioned.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
