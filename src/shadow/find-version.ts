import { isTombstone } from '../document/shadow-document.js';
import { asNewAs } from '../store/as-new-as.js';
import { RevisionGone } from '../store/revision-gone.js';
import type { Reading, RequestOptions, ShadowKey, ShadowStore } from '../store/shadow-store.js';
import type { Clock } from '../resilience/clock.js';

/** Which version of a shadow a caller wants; one member at most. None: the present one. */
export interface VersionWanted {
  /** The present one, as of this revision of the store or later. */
  readonly minRevision?: number;
  /** As it was at this revision of the store. */
  readonly revision?: number;
  /** As it was at this time, in epoch milliseconds. */
  readonly at?: number;
}

/**
 * The shadow as it is or was. Its position is the one that it was found at.
 * @throws RevisionGone; ServiceError revisionAhead, and what the store throws
 */
export function findVersion(
  store: ShadowStore,
  key: ShadowKey,
  { minRevision, revision, at }: VersionWanted,
  options: RequestOptions,
  clock: Clock,
): Promise<Reading> {
  if (revision !== undefined) return store.readAsOf(key, revision, options);
  if (at !== undefined) return findAt(store, key, at, options);
  const wait = { minRevision, deadline: options.deadline, clock };
  return asNewAs(
    wait,
    () => store.read(key, options),
    ({ position }) => position.revision,
  );
}

/**
 * A version that was set by `at` and whose next one was set later: what `changedAt` of the versions says. The clocks of
 * nodes stamp them, so the answer is as exact as these agree; where they have gone back, several versions may fit.
 *
 * It halves the revisions between the start of the history and the present version: each read shows a whole version. A
 * shadow that has had no record was not yet created: the record of a deleted one stays 48 h (TOMBSTONE_SECONDS), and etcd
 * keeps minutes of history. At most as many reads as a revision has bits, besides the search for the oldest one.
 */
async function findAt(store: ShadowStore, key: ShadowKey, at: number, options: RequestOptions): Promise<Reading> {
  const present = await store.read(key, options);
  if (present.record === null || present.record.change.at <= at) return present;
  let best: Reading | null = null;
  let oldest = 0;
  let low = 0;
  let high = present.record.position.revision;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const found = await readOrGone(store, key, middle, options);
    if (found instanceof RevisionGone) {
      oldest = found.oldest;
      low = Math.max(middle, oldest - 1);
      // A compaction has just gone past it: whether later versions were set by then is no longer known.
      best = null;
    } else if (found.record === null || found.record.change.at <= at) {
      low = middle;
      best = found;
    } else high = found.record.position.revision;
  }
  if (best === null) throw new RevisionGone(`the document of ${new Date(at).toISOString()}`, oldest);
  return best;
}

async function readOrGone(
  store: ShadowStore,
  key: ShadowKey,
  revision: number,
  options: RequestOptions,
): Promise<Reading | RevisionGone> {
  try {
    return await store.readAsOf(key, revision, options);
  } catch (error) {
    if (error instanceof RevisionGone) return error;
    throw error;
  }
}

/** Whether the shadow exists, or existed then. No errors. */
export const existed = ({ record }: Pick<Reading, 'record'>): boolean => record !== null && !isTombstone(record.state);
