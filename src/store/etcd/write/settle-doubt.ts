import { ServiceError } from '../../../errors/service-error.js';
import { decodeRecord, RECENT_WRITES } from '../codec.js';
import type { ReadBatcher } from '../read/read-batcher.js';
import type { RawRecord } from '../client/nested-txn.js';

/** Versions that are looked back through at most; each costs one read. */
const MAX_STEPS = 64;

export interface DoubtedWrite {
  readonly key: string;
  /** The last write ids of the value that was to be written, its own first. */
  readonly writes: readonly string[];
  /** Revision that the write was guarded with; 0: it was to create the key. */
  readonly guard: number;
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
}

/** `won` names the revision at which the write was committed or, where that is compacted away, the first it can be. */
export type Settled = { readonly kind: 'won'; readonly revision: number } | { readonly kind: 'lost' | 'unknown' };

/**
 * What became of a write that lost after an earlier attempt of it had gone without an answer: the value that beat it
 * may be its own, or may be written on top of its own. Every value names the last writes; where they do not reach back
 * far enough, the versions of the key are read back to the guard.
 * @param current what the failure branch brought
 * @throws ServiceError as the reads do, but cursorGone
 */
export async function settleDoubt(
  write: DoubtedWrite,
  current: RawRecord | null,
  reads: ReadBatcher,
): Promise<Settled> {
  const [own, base] = write.writes;
  let seen = current;
  let applied = false;
  for (let step = 0; step < MAX_STEPS; step++) {
    // A key that is not there was a tombstone whose lease ended; a write on top of it would have detached the lease.
    if (!seen || seen.revision <= write.guard) return { kind: 'lost' };
    const ids = decodeRecord(seen.value).writes;
    if (ids[0] === own) return { kind: 'won', revision: seen.revision };
    applied ||= ids.includes(own!);
    // Nothing is missing between the value that the write was built on and this one, and the write is not there.
    const complete = ids.length < RECENT_WRITES || (base !== undefined && ids.includes(base));
    if (!applied && complete) return { kind: 'lost' };
    const before = await previous(write, seen, reads);
    if (before === 'gone') return applied ? { kind: 'won', revision: write.guard + 1 } : { kind: 'unknown' };
    seen = before;
  }
  return { kind: 'unknown' };
}

async function previous(write: DoubtedWrite, seen: RawRecord, reads: ReadBatcher): Promise<RawRecord | null | 'gone'> {
  try {
    return (await reads.get(write.key, write.deadline, seen.revision - 1)).current;
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'cursorGone') return 'gone';
    throw error;
  }
}
