import { ServiceError } from '../../../errors/service-error.js';
import { decodeRecord, idsOf, RECENT_WRITES } from '../codec.js';
import type { ReadBatcher } from '../read/read-batcher.js';
import type { RawRecord } from '../client/nested-txn.js';

/** Earlier versions of the key that are read at most; each costs one read. */
const MAX_STEPS = 64;

export interface DoubtedWrite {
  readonly key: string;
  /** Ids of the last writes in the value of this write, its own first, as a record has them. */
  readonly writes: string;
  /** Revision in the guard of the write; 0: the write creates the key. */
  readonly guard: number;
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
}

/** `won` names the revision of the commit or, when that is compacted, the lowest that it can be. */
export type Settled = { readonly kind: 'won'; readonly revision: number } | { readonly kind: 'lost' | 'unknown' };

/**
 * Finds out whether a write was applied that lost after an attempt without an answer: the value that beat it may be its
 * own, or may be written on top of its own. Every value names its last writes; when those do not reach back to the
 * guard, earlier versions of the key are read.
 * @param current the record in the answer to the lost attempt
 * @throws ServiceError as ReadBatcher.get, except cursorGone
 */
export async function settleDoubt(
  write: DoubtedWrite,
  current: RawRecord | null,
  reads: ReadBatcher,
): Promise<Settled> {
  const [own, base] = idsOf(write);
  let seen = current;
  let applied = false;
  for (let step = 0; step < MAX_STEPS; step++) {
    // The key was removed, or made anew after a removal: a full etcd removes without a tombstone, so this write may have
    // been applied before. A key that never was has nothing that could be removed.
    if (!seen && write.guard > 0) return { kind: 'unknown' };
    if (!seen || seen.revision <= write.guard) return { kind: 'lost' };
    const ids = idsOf(decodeRecord(seen.value));
    if (ids[0] === own) return { kind: 'won', revision: seen.revision };
    applied ||= ids.includes(own!);
    // The ids reach back to the value that the write was built on, and the write is not among them.
    const complete = base === undefined ? ids.length < RECENT_WRITES : ids.includes(base);
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
