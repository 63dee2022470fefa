import type { Position } from '../store/position.js';
import type { FeedBatch, GapReason, ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';

/**
 * Where a reader stands: a position, and how many records of that revision it has had (one commit can change many
 * shadows under one revision). `seen: null` means all of them.
 */
export interface Cursor extends Position {
  readonly seen: number | null;
}

export type ShadowEvent =
  /** A change after the start, in order. `cursor` resumes right behind it. */
  | { readonly kind: 'change'; readonly record: ShadowRecord; readonly cursor: Cursor }
  /** Part of the present state, sent before the changes when it was asked for; all of it as of one revision. */
  | { readonly kind: 'initial'; readonly record: ShadowRecord; readonly cursor: Cursor | null }
  /** Nothing for this reader up to here; also ends the initial state. */
  | { readonly kind: 'bookmark'; readonly cursor: Cursor }
  /** Only for readers with `onGap: 'notify'`: what happened in between is not to be had; load what you need. */
  | { readonly kind: 'gap'; readonly reason: GapReason; readonly cursor: Cursor };

export type EndReason = 'closed' | 'too-slow' | 'compacted' | 'epoch-changed' | 'draining';

export interface SubscribeOptions {
  readonly filter: ShadowFilter;
  /** `now`: changes from here on. `initial`: the present state first. A cursor: exactly what came after it. */
  readonly from: 'now' | 'initial' | Cursor;
  /** Records held for a reader that does not keep up; one more ends it with `too-slow`. */
  readonly maxQueued?: number;
  /** What a hole in the history does: ends the subscription (default), or is told as a `gap` event. */
  readonly onGap?: 'end' | 'notify';
}

/** One bounded reader. Iterate it; leaving the loop closes it. The iteration ends without error; `ended` says why. */
export interface Subscription extends AsyncIterable<ShadowEvent> {
  readonly ended: Promise<EndReason>;
  /** Ends it with `closed`; events that wait are dropped. */
  close(): void;
}

/** Hears every change of every tenant as it is applied, synchronously: it must be quick. What it throws is logged. */
export interface FeedListener {
  /** A whole revision, after its records were handed to the subscriptions. */
  batch(batch: FeedBatch): void;
  /** Changes were missed; the batches that follow are whole again. */
  gap(reason: GapReason): void;
}

export interface WatchHub {
  /** Follows the store. Resolves when the feed is there, or at close(); it keeps trying while it is not. No errors. */
  start(): Promise<void>;
  /**
   * A reader from `now` on is told its cursor at once, in a bookmark.
   * @throws ServiceError tooManyRequests; draining
   */
  subscribe(options: SubscribeOptions): Subscription;
  /** For readers inside the process that keep up by construction, such as the MQTT publisher. Returns its end. */
  follow(listener: FeedListener): () => void;
  /** Whether changes arrive; else why not. */
  readonly health: { readonly ok: boolean; readonly reason: string };
  /** Ends every subscription with `draining`, and the stream from the store. No errors. */
  close(): Promise<void>;
}

/** Injection token of the WatchHub. */
export const WATCH_HUB = Symbol('WatchHub');
