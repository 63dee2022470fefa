import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { BackOff } from '../resilience/back-off.js';
import type { Position } from '../store/position.js';
import { FeedGap, type GapReason, type ShadowFeed } from '../store/shadow-feed.js';
import type { ShadowKey } from '../store/shadow-store.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { allSeen, deliver } from './feed-events.js';
import type { RecentChanges } from './recent-changes.js';
import type { Cursor } from './subscription.js';
import type { SubscriptionQueue } from './subscription-queue.js';
import { TURN_MS, type StoreReaderLimit } from './store-reader-limit.js';

/** The parts of the hub that catching up uses. */
export interface CatchUpHub {
  readonly feed: ShadowFeed;
  readonly logger: Logger;
  /** Bounds the streams and lists that are open at the store at once; they cost a connection each. */
  readonly limit: StoreReaderLimit;
  /** Milliseconds for which a reader may take nothing while something waits for it. */
  readonly stuckMs: number;
  /** The ring, once the hub knows the position of the store; null when `signal` came first. No errors. */
  history(signal: AbortSignal): Promise<RecentChanges | null>;
  /**
   * Delivers what follows the cursor from the store, together with other readers, as far as the queue, the ring and
   * the other readers allow. Resolves with the cursor that was reached; null when the reader has ended.
   * @throws FeedGap
   */
  backfill(queue: SubscriptionQueue, cursor: Cursor): Promise<Cursor | null>;
  /** Ends readers that take nothing, if they hold memory that others wait for. No errors. */
  relieve(): void;
  /** From here on the hub delivers, beginning right after the cursor. */
  join(queue: SubscriptionQueue, cursor: Cursor): void;
  /** Told once of a cursor of a client: where the changes after it were. No errors. */
  found(from: 'ring' | 'store'): void;
}

/** Records that are looked at before the process turns to something else. */
const SCAN = 2_000;
/** Milliseconds: first and longest pause between attempts to read the base while the store does not answer. */
const RETRY_MS = { first: 250, longest: 2_000 };

/** Milliseconds that a reader waits for memory before silent readers have to give it back. */
const MEMORY_MS = 1_000;

/** How far the base was delivered. */
interface BaseRead {
  position: Position | null;
  after: ShadowKey | null;
}

/**
 * Brings one reader from a cursor, or from nothing, to the present: from the ring if it reaches back far enough, else
 * from the store until the ring does. The reader sets the pace, so memory is bounded by its queue. The step from the
 * ring to live delivery happens within one turn of the loop, hence without a gap or a duplicate.
 */
export class CatchUp {
  constructor(
    private readonly hub: CatchUpHub,
    private readonly queue: SubscriptionQueue,
  ) {}

  /** Ends when the reader is live or has ended; never throws. */
  async bring(from: 'initial' | Cursor): Promise<void> {
    try {
      if (from !== 'initial') return await this.#follow(from, false);
      const cursor = await this.#initial();
      if (cursor) await this.#follow(cursor, true);
    } catch (error) {
      if (this.queue.isEnded) return;
      if (error instanceof FeedGap) return this.#gap(error.reason);
      this.hub.logger.error({ err: error }, 'a subscription could not be brought up to date');
      this.queue.end('failed');
    }
  }

  /** @param isOurs the cursor comes from this store just now, not from a client */
  async #follow(start: Cursor, isOurs: boolean): Promise<void> {
    let cursor = start;
    let isKnown = isOurs;
    let isCounted = isOurs;
    while (!this.queue.isEnded) {
      const history = await this.hub.history(this.queue.signal);
      if (!history) return;
      const place = history.place(cursor);
      if (place === 'elsewhere') throw new FeedGap('epoch-changed');
      if (place === 'ahead') {
        if (isKnown) return this.hub.join(this.queue, cursor);
        isKnown = await this.#isReached(cursor);
        continue;
      }
      if (!isCounted) this.hub.found(place === 'older' ? 'store' : 'ring');
      isCounted = true;
      if (place === 'older') {
        const reached = await this.hub.backfill(this.queue, cursor);
        if (!reached) return;
        cursor = reached;
        isKnown = true;
      } else {
        const { at, live } = this.#replay(cursor, history);
        cursor = at;
        if (live) return this.hub.join(this.queue, at);
        await turn();
      }
      if (!(await this.#room())) return;
    }
  }

  /**
   * Another node may be ahead of this one; a position that the store itself has not reached belongs to another history.
   * @throws FeedGap
   */
  async #isReached(cursor: Cursor): Promise<boolean> {
    const head = await this.#persist(() => this.hub.feed.head(this.queue.signal));
    if (!head) return false;
    const known = head.cluster === cursor.cluster && head.epoch === cursor.epoch && cursor.revision <= head.revision;
    if (!known) throw new FeedGap('epoch-changed');
    return true;
  }

  #replay(cursor: Cursor, history: RecentChanges): { at: Cursor; live: boolean } {
    let at = cursor;
    for (let scanned = 0; scanned < SCAN;) {
      const batch = history.following(at);
      if (!batch) return { at, live: true };
      scanned += batch.records.length;
      const isInside = at.revision === batch.position.revision && at.seen !== null;
      at = deliver(batch, isInside ? (at.seen ?? 0) : 0, this.queue);
      if (at.seen !== null) break;
    }
    return { at, live: false };
  }

  /**
   * Delivers the present state as of one position, and its bookmark; null when the reader has ended. Faults of the store
   * and a reader that stalls only interrupt it: it continues after the last record that was delivered.
   * @throws FeedGap when the rest as of that position is no longer in the store
   */
  async #initial(): Promise<Cursor | null> {
    const { signal } = this.queue;
    const backOff = new BackOff(RETRY_MS);
    const base: BaseRead = { position: null, after: null };
    while (!signal.aborted) {
      const endTurn = await this.hub.limit.acquire(signal);
      if (!endTurn) return null;
      const { after } = base;
      const outcome = await this.#readBase(base).finally(endTurn);
      if (base.after !== after) backOff.reset();
      if (outcome === 'failed') {
        await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
        continue;
      }
      if (!(await this.#room())) return null;
      if (outcome === 'interrupted' || !base.position) continue;
      const cursor = allSeen(base.position);
      this.queue.push({ kind: 'bookmark', cursor });
      return cursor;
    }
    return null;
  }

  /** Reads on while the queue takes records, and while nobody has waited for this turn for long. @throws FeedGap */
  async #readBase(base: BaseRead): Promise<'whole' | 'interrupted' | 'failed'> {
    const { filter, signal } = this.queue;
    const { position, after } = base;
    const began = performance.now();
    try {
      const resume = position && after ? { position, after } : undefined;
      const { position: found, records } = await this.hub.feed.base(filter, signal, resume);
      base.position = found;
      let working = began;
      for await (const record of records) {
        if (this.queue.isFull) {
          if (!(await this.#politeRoom())) return 'interrupted';
          working = performance.now();
        }
        this.queue.push({ kind: 'initial', record, cursor: null });
        base.after = record.key;
        working = await this.#pace(working);
        // A long list, read fast, would keep the turn for minutes.
        if (this.hub.limit.waiting > 0 && performance.now() - began > TURN_MS) return 'interrupted';
      }
      return signal.aborted ? 'interrupted' : 'whole';
    } catch (error) {
      if (error instanceof FeedGap || signal.aborted) throw error;
      this.hub.logger.debug({ reason: reasonOf(error) }, 'the present state for a watch stream stalls; trying again');
      return 'failed';
    }
  }

  /** Rests when a slice of work is done. Returns since when the reader works, in milliseconds of the monotonic clock. */
  async #pace(since: number): Promise<number> {
    const { limit } = this.hub;
    const worked = performance.now() - since;
    if (worked < limit.sliceMs) return since;
    const restMs = limit.restMs(worked);
    if (restMs === 0) await turn();
    else await pause(restMs, undefined, { signal: this.queue.signal }).catch(() => undefined);
    return performance.now();
  }

  /** Whether a full queue makes room while its reader has a turn at the store. */
  async #politeRoom(): Promise<boolean> {
    await this.queue.room(this.hub.limit.politeMs);
    return !this.queue.isFull && !this.queue.isEnded;
  }

  /** Repeats until it works or the reader has gone: nothing was handed out yet, so waiting loses nothing. */
  async #persist<T>(call: () => Promise<T>): Promise<T | null> {
    const { signal } = this.queue;
    for (const backOff = new BackOff(RETRY_MS); !signal.aborted;) {
      try {
        return await call();
      } catch (error) {
        if (error instanceof FeedGap || signal.aborted) throw error;
        await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }

  /** Waits for room; false when the reader has ended. A reader that takes nothing for too long is ended. */
  async #room(): Promise<boolean> {
    const { queue, hub } = this;
    while (!(await queue.room(Math.min(MEMORY_MS, hub.stuckMs)))) {
      if (queue.silentMs >= hub.stuckMs) queue.end('too-slow');
      // An empty queue waits only for memory that other readers hold.
      else if (queue.size === 0) hub.relieve();
    }
    return !queue.isEnded;
  }

  async #gap(reason: GapReason): Promise<void> {
    const history = await this.hub.history(this.queue.signal);
    if (!history) return;
    const cursor = allSeen(history.position);
    this.queue.gap(reason, cursor);
    if (!this.queue.isEnded) this.hub.join(this.queue, cursor);
  }
}
