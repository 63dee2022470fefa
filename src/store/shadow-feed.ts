import type { Position } from './position.js';
import { PRESENCE, PresenceUpdate } from './presence-update.js';
import type { ShadowKey, ShadowRecord } from './shadow-store.js';

/** The shadows that a reader of the feed asks for; absent members mean "any". `name: null` is the classic shadow. */
export interface ShadowFilter {
  readonly tenant: string;
  readonly thing?: string;
  readonly name?: string | null;
  /** Which of these; absent: all of them. The key of a record of presence has PRESENCE for a name. */
  readonly only?: (key: ShadowKey) => boolean;
  /** Records of presence of the things too, or nothing else; absent: none. `name` does not concern them. */
  readonly presence?: 'too' | 'alone' | undefined;
}

/** Whether the filter includes the shadow. */
export function matches(filter: ShadowFilter, key: ShadowKey): boolean {
  return (
    filter.tenant === key.tenant &&
    (filter.thing === undefined || filter.thing === key.thing) &&
    matchesOfThing(filter, key)
  );
}

/** Whether a reader that wants presence so gets records under the key at all. No errors. */
export const isOfKind = (presence: ShadowFilter['presence'], key: Pick<ShadowKey, 'name'>): boolean =>
  key.name === PRESENCE ? presence !== undefined : presence !== 'alone';

/** The same for a key whose tenant and thing are known to match. */
export function matchesOfThing({ name, only, presence }: ShadowFilter, key: ShadowKey): boolean {
  const isNamed = name === undefined || name === key.name || key.name === PRESENCE;
  return isNamed && isOfKind(presence, key) && (only === undefined || only(key));
}

/**
 * A record of the feed. Most changes concern nobody on a node, so a feed may parse a record only when somebody looks at
 * its state or its change: look at its key first, and then ask `isReadable`.
 */
export interface FeedRecord extends ShadowRecord {
  /**
   * Hash of the thing's name (name-hash.ts), which tells most readers that the record is not theirs before its key is
   * made; absent: ask the key.
   */
  readonly thingHash?: number;
  /**
   * False for a value in the store that turns out to be no record: it has no state and no change, and every reader
   * leaves it out. The feed has reported it. Absent: it is one. No errors.
   */
  readonly isReadable?: boolean;
  /** Somebody waits for the record: it holds nothing but itself in memory. No errors. */
  keep?(): void;
}

/** The batch for a reader that wants no presence: its records are those of shadows. No errors. */
export function withoutPresence(batch: FeedBatch): FeedBatch {
  const { position, records } = batch;
  // For every batch of every node, and nearly always in vain: a loop without a call.
  for (const record of records)
    if (record instanceof PresenceUpdate)
      return { position, records: records.filter((each) => !(each instanceof PresenceUpdate)) };
  return batch;
}

/** Whether the record has a state and a change; asking may parse it. No errors. */
export const isReadable = (record: FeedRecord): boolean => record.isReadable !== false;

/**
 * All changes of one revision, in their order. Without records it is a bookmark: no shadow changed up to `position`.
 * A record of presence is a PresenceUpdate, which has no document.
 */
export interface FeedBatch {
  readonly position: Position;
  readonly records: readonly FeedRecord[];
  /** The batch for whoever holds it longer than it takes to read it. Absent: it has no smaller form. */
  readonly packed?: PackedBatch;
}

/**
 * A batch as bytes. Most batches are held and never read again: their records would live long enough to be moved to
 * the old generation of the heap, which is then collected every few seconds.
 */
export interface PackedBatch {
  /** Bytes that may lie among others: whoever holds them longer than the batch itself copies them. */
  readonly bytes: Buffer;
  /** What makes a batch of them again, the same for all batches of a feed. */
  readonly unpacker: Unpacker;
}

export interface Unpacker {
  /** The batch with records of its own, as many as it had. @param bytes become part of them. No errors. */
  unpack(bytes: Buffer, position: Position): FeedBatch;
}

/** Progress of a reader of the base: it has every record up to and including the key `after`, as of `position`. */
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
 * Base state at one position, then everything after it, gap-free, in revision order, without duplicates. The feed
 * handles lost members, stalls and reconnects; its readers do not see them.
 */
export interface ShadowFeed {
  /**
   * The present position, from a linearizable read.
   * @throws ServiceError storageUnavailable
   */
  head(signal: AbortSignal): Promise<Position>;

  /**
   * Every live record (tombstones left out) that `filter` matches, those of presence last, all as of the one position, in
   * pages. While the store does not answer, the iteration waits for as long as `signal` allows.
   * @param resume continues a base of the same filter after the last record that was received, as of its position or of
   * a later one
   * @throws ServiceError storageUnavailable; the iteration throws FeedGap when the remaining pages as of `position` are
   * no longer available, and ServiceError draining
   */
  base(
    filter: ShadowFilter,
    signal: AbortSignal,
    resume?: BaseProgress,
  ): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }>;

  /**
   * Whole revisions after `position`; every tenant, tombstones included. Continues through faults until `signal`, then
   * ends. Where the store's revision moves although no shadow changes, a batch without records says so: soon after the
   * start, so that a reader learns that it has caught up, and about once a minute after that, so that the position of
   * an idle reader stays within the store's history.
   * @throws FeedGap when `position` is no longer in the history, or belongs to another history
   */
  after(position: Position, signal: AbortSignal): AsyncIterable<FeedBatch>;

  /** Whether it brings the records of presence. A filter that asks for them is refused without: it would match nothing. */
  readonly hasPresence: boolean;

  /** `ok` while a live `after` stream follows the store; `reason` says why, for an operator. */
  readonly health: { readonly ok: boolean; readonly reason: string };
}

/** Injection token of the ShadowFeed. */
export const SHADOW_FEED = Symbol('ShadowFeed');
