import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import type { Position } from '../store/position.js';
import { FeedGap, matches, type FeedBatch, type GapReason, type ShadowFeed } from '../store/shadow-feed.js';
import type { Logger } from '../telemetry/logger.js';
import type { RecentChanges } from './recent-changes.js';
import type { Cursor, ShadowEvent } from './subscription.js';
import type { SubscriptionQueue } from './subscription-queue.js';
import type { StoreReaderLimit } from './store-reader-limit.js';

/** What catching up needs of the hub. */
export interface CatchUpHub {
  readonly feed: ShadowFeed;
  readonly logger: Logger;
  /** Streams and lists that may be open at the store at once; they cost a connection each. */
  readonly turns: StoreReaderLimit;
  /** Milliseconds for which a reader may take nothing while something waits for it. */
  readonly stuckMs: number;
  /** The ring, once the hub knows where it is; null when `signal` came first. No errors. */
  history(signal: AbortSignal): Promise<RecentChanges | null>;
  /** From here on the hub delivers, beginning right after the cursor. */
  join(queue: SubscriptionQueue, cursor: Cursor): void;
}

/** Milliseconds that a reader may hold up its stream to the store before it makes room for other readers. */
const POLITE_MS = 1_000;
/** Records looked at before the process turns to something else. */
const SCAN = 2_000;
/** Milliseconds between attempts to read the base state while the store does not answer. */
const RETRY_MS = 1_000;

/** The cursor behind everything up to a position. */
export const allSeen = ({ cluster, epoch, revision }: Position): Cursor => ({ cluster, epoch, revision, seen: null });

/** The record at `index` of a revision as an event, whose cursor resumes right behind it. */
export function changeEvent({ position, records }: FeedBatch, index: number): ShadowEvent | null {
  const record = records[index];
  if (!record) return null;
  const { cluster, epoch, revision } = position;
  const seen = index + 1 < records.length ? index + 1 : null;
  return { kind: 'change', record, cursor: { cluster, epoch, revision, seen } };
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
  async run(from: 'initial' | Cursor): Promise<void> {
    try {
      await this.#follow(from === 'initial' ? await this.#initial() : from);
    } catch (error) {
      if (this.queue.isEnded) return;
      if (!(error instanceof FeedGap)) {
        this.hub.logger.warn({ reason: String(error) }, 'a subscription could not be brought up to date');
      }
      // Whatever it was, the reader has to load the present state anew.
      await this.#gap(error instanceof FeedGap ? error.reason : 'compacted');
    }
  }

  async #follow(start: Cursor | null): Promise<void> {
    let cursor = start;
    while (cursor && !this.queue.isEnded) {
      const history = await this.hub.history(this.queue.signal);
      if (!history) return;
      const place = history.place(cursor);
      if (place === 'elsewhere') throw new FeedGap('epoch-changed');
      if (place === 'ahead') return this.#joinAhead(cursor);
      if (place === 'older') {
        cursor = await this.#backfill(cursor, history);
        continue;
      }
      const { at, live } = this.#replay(cursor, history);
      cursor = at;
      if (live) return this.hub.join(this.queue, at);
      if (!(await this.#room())) return;
      await turn();
    }
  }

  /** Another node may be ahead of this one; a position that the store itself has not reached is of another history. */
  async #joinAhead(cursor: Cursor): Promise<void> {
    const head = await this.#persist(() => this.hub.feed.head(this.queue.signal));
    if (!head) return;
    const known = head.cluster === cursor.cluster && head.epoch === cursor.epoch && cursor.revision <= head.revision;
    if (!known) throw new FeedGap('epoch-changed');
    const history = await this.hub.history(this.queue.signal);
    if (!history || this.queue.isEnded) return;
    if (history.place(cursor) === 'ahead') return this.hub.join(this.queue, cursor);
    return this.#follow(cursor);
  }

  #replay(cursor: Cursor, history: RecentChanges): { at: Cursor; live: boolean } {
    let at = cursor;
    for (let scanned = 0; scanned < SCAN;) {
      const batch = history.following(at);
      if (!batch) return { at, live: true };
      scanned += batch.records.length;
      at = this.#deliver(batch, at);
      if (at.seen !== null) break;
    }
    return { at, live: false };
  }

  /** As much of the batch as there is room for. */
  #deliver(batch: FeedBatch, after: Cursor): Cursor {
    const { position, records } = batch;
    let index = after.revision === position.revision && after.seen !== null ? after.seen : 0;
    for (; index < records.length; index++) {
      const record = records[index];
      if (!record || !matches(this.queue.filter, record.key)) continue;
      if (this.queue.isFull) return { ...allSeen(position), seen: index };
      const event = changeEvent(batch, index);
      if (event) this.queue.push(event);
    }
    return allSeen(position);
  }

  /** Reads on from the store until the ring holds the rest, or the reader has to make room for others. */
  async #backfill(from: Cursor, history: RecentChanges): Promise<Cursor | null> {
    const { signal } = this.queue;
    const endTurn = await this.hub.turns.take(signal);
    if (!endTurn) return null;
    let cursor = from;
    const start = from.seen === null ? from : { ...from, revision: Math.max(0, from.revision - 1) };
    try {
      for await (const batch of this.hub.feed.after(start, signal)) {
        for (;;) {
          cursor = this.#deliver(batch, cursor);
          if (cursor.seen === null) break;
          if (!(await this.queue.room(POLITE_MS)) || this.queue.isEnded) break;
        }
        if (cursor.seen !== null || history.place(cursor) !== 'older') break;
      }
    } finally {
      endTurn();
    }
    return (await this.#room()) ? cursor : null;
  }

  async #initial(): Promise<Cursor | null> {
    const { filter, signal } = this.queue;
    let endTurn = await this.hub.turns.take(signal);
    try {
      const base = endTurn && (await this.#persist(() => this.hub.feed.base(filter, signal)));
      if (!base) return null;
      for await (const record of base.records) {
        if (this.queue.isFull && !(await this.queue.room(POLITE_MS))) {
          endTurn?.();
          if (!(await this.#room())) return null;
          endTurn = await this.hub.turns.take(signal);
        }
        this.queue.push({ kind: 'initial', record, cursor: null });
      }
      if (!(await this.#room())) return null;
      const cursor = allSeen(base.position);
      this.queue.push({ kind: 'bookmark', cursor });
      return cursor;
    } finally {
      endTurn?.();
    }
  }

  /** Repeats until it works or the reader goes: nothing was handed out yet, so waiting loses nothing. */
  async #persist<T>(call: () => Promise<T>): Promise<T | null> {
    const { signal } = this.queue;
    while (!signal.aborted) {
      try {
        return await call();
      } catch (error) {
        if (error instanceof FeedGap || signal.aborted) throw error;
        await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return null;
  }

  /** Whether there is a reader with room; one that takes nothing for too long is ended. */
  async #room(): Promise<boolean> {
    let waiting = this.queue.size;
    while (!(await this.queue.room(this.hub.stuckMs))) {
      if (this.queue.size === waiting) this.queue.end('too-slow');
      waiting = this.queue.size;
    }
    return !this.queue.isEnded;
  }

  async #gap(reason: GapReason): Promise<void> {
    const history = await this.hub.history(this.queue.signal);
    if (!history) return;
    const cursor = allSeen(history.position);
    this.queue.gap(reason, cursor);
    if (!this.queue.isEnded) this.hub.join(this.queue, cursor);
  }
}
