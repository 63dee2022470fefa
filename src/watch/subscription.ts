import type { Position } from '../store/position.js';
import type { FeedBatch, GapReason, ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Health } from '../telemetry/health.js';

/**
 * How far a reader has come: a position, and how many records of that revision it has received (one commit can change
 * many shadows under one revision). `seen: null` means all of them.
 */
export interface Cursor extends Position {
  readonly seen: number | null;
}

export type ShadowEvent =
  /** A change after the start, in order. `cursor` resumes right behind it. Its record may be a PresenceUpdate. */
  | { readonly kind: 'change'; readonly record: ShadowRecord; readonly cursor: Cursor }
  /** Part of the present state, sent before the changes when it was asked for; all of it as of one revision. */
  | { readonly kind: 'initial'; readonly record: ShadowRecord; readonly cursor: Cursor | null }
  /** Nothing for this reader up to here; also ends the initial state. */
  | { readonly kind: 'bookmark'; readonly cursor: Cursor }
  /** Only for readers with `onGap: 'notify'`: the changes in between are no longer available; load what you need. */
  | { readonly kind: 'gap'; readonly reason: GapReason; readonly cursor: Cursor };

/** `failed`: an error of the node itself; nothing is known to be lost, so the reader resumes from its last cursor. */
export type EndReason = 'closed' | 'too-slow' | 'compacted' | 'epoch-changed' | 'draining' | 'failed';

export interface SubscribeOptions {
  readonly filter: ShadowFilter;
  /** `now`: changes from here on. `initial`: the present state first. A cursor: exactly what came after it. */
  readonly from: 'now' | 'initial' | Cursor;
  /** Records held for a live reader that does not keep up; one more ends it with `too-slow`. */
  readonly maxQueued?: number;
  /** A hole in the history ends the subscription (default), or arrives as a `gap` event. */
  readonly onGap?: 'end' | 'notify';
}

/**
 * Takes an event at once. False: it wants no more. A promise, of the same meaning, only where the next one has to wait: a
 * node has thousands of readers of one change.
 */
export type Visit = (event: ShadowEvent) => boolean | Promise<boolean>;

/** One bounded reader. Iterate it; leaving the loop closes it. The iteration ends without error; `ended` says why. */
export interface Subscription extends AsyncIterable<ShadowEvent> {
  readonly ended: Promise<EndReason>;
  /**
   * Hands over the events as they come, in place of an iteration. Resolves with true when there are no more, with false
   * when the visitor wants none. To be called once. @throws what the visitor throws
   */
  each(visit: Visit): Promise<boolean>;
  /** Ends it with `closed`; events that wait are dropped. */
  close(): void;
}

/** Receives every change of every tenant as it is applied, synchronously: it must be quick. Its errors are logged. */
export interface FeedListener {
  /** A whole revision without records of presence, before its records are handed to the subscriptions. */
  batch(batch: FeedBatch): void;
  /** Changes were missed; the batches that follow are whole again. */
  gap(reason: GapReason): void;
}

export interface WatchHub {
  /** Follows the store. Resolves when its position is known, or at close(); it keeps trying until then. No errors. */
  start(): Promise<void>;
  /**
   * A reader from `now` on receives its cursor at once, in a bookmark.
   * @throws ServiceError tooManyRequests; draining
   */
  subscribe(options: SubscribeOptions): Subscription;
  /** For readers inside the process that keep up by construction, such as the MQTT publisher. Returns its end. */
  follow(listener: FeedListener): () => void;
  /** How far the hub is: a reader from `now` on gets what comes after it. null: not known yet. */
  readonly position: Position | null;
  /** Whether changes arrive; else why not. */
  readonly health: Health;
  /** Ends the subscriptions with `draining` after `graceMs`, at an even rate over `withinMs` milliseconds. No errors. */
  endEvenly(graceMs: number, withinMs: number): Promise<void>;
  /** Ends every subscription with `draining`, and the stream from the store. No errors. */
  close(): Promise<void>;
}

/** Injection token of the WatchHub. */
export const WATCH_HUB = Symbol('WatchHub');
