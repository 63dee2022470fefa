import type { Position } from './position.js';
import type { ShadowKey, ShadowRecord } from './shadow-store.js';

/** What a reader of the feed cares about; absent members mean "any". `name: null` is the classic shadow. */
export interface ShadowFilter {
  readonly tenant: string;
  readonly thing?: string;
  readonly name?: string | null;
}

/** Whether a reader with this filter is to see the shadow. */
export function matches(filter: ShadowFilter, key: ShadowKey): boolean {
  return (
    filter.tenant === key.tenant &&
    (filter.thing === undefined || filter.thing === key.thing) &&
    (filter.name === undefined || filter.name === key.name)
  );
}

/** All changes of one revision, in their order. Without changes it is a bookmark: nothing happened up to `position`. */
export interface FeedBatch {
  readonly position: Position;
  readonly records: readonly ShadowRecord[];
}

/** How far a reader of the base has come: everything up to and with the key `after`, as of `position`. */
export interface BaseProgress {
  readonly position: Position;
  readonly after: ShadowKey;
}

export type GapReason = 'compacted' | 'epoch-changed';

/** The history after a position is no longer available: load the base again. */
export class FeedGap extends Error {
  override readonly name = 'FeedGap';
  constructor(readonly reason: GapReason) {
    super(`the history is not available: ${reason}`);
  }
}

/**
 * Base state at one position, then everything after it, gap-free, in revision order, without duplicates. Lost members,
 * stalls and reconnects are the feed's own business and not seen by its readers.
 */
export interface ShadowFeed {
  /**
   * The present position, from a linearizable read.
   * @throws ServiceError storageUnavailable
   */
  head(signal: AbortSignal): Promise<Position>;

  /**
   * Every live record (tombstones left out) that `filter` matches, all as of the one position, in pages.
   * @param resume continues a base of the same filter after the last record that was received, as of its position or of
   * a later one
   * While the store does not answer, the iteration waits for as long as `signal` allows.
   * @throws ServiceError storageUnavailable; the iteration throws FeedGap when the remaining pages as of `position` are no
   * longer available, and ServiceError draining
   */
  base(
    filter: ShadowFilter,
    signal: AbortSignal,
    resume?: BaseProgress,
  ): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }>;

  /**
   * Whole revisions after `position`; every tenant, tombstones included. Continues through faults until `signal`, then
   * ends. Where the store's revision moves although no shadow changes, a batch without records tells so: soon after the
   * start, so that a reader learns that it has caught up, and about once a minute after that, so that the position of an
   * idle reader stays within the store's history.
   * @throws FeedGap when `position` is not in the history any more, or belongs to another one
   */
  after(position: Position, signal: AbortSignal): AsyncIterable<FeedBatch>;

  /** Ready when a live `after` stream follows the store; else why not. */
  readonly health: { readonly ok: boolean; readonly reason: string };
}

/** Injection token of the ShadowFeed. */
export const SHADOW_FEED = Symbol('ShadowFeed');
