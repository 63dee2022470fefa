import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdServer } from '../../../harness/etcd.js';
import { OPERATED_FLAGS } from '../../members.js';
import { PARTS } from './journal.js';

/**
 * As the manifests have it, but for two things. The soak compacts by itself: a new etcd does it for the first time after
 * twenty minutes, so that only the last part would have had a compaction, and one takes seconds. And it keeps as many
 * entries of its log in memory as etcd 3.6 does; with the 100,000 of 3.4 it would still fill them in the first part.
 */
export const SOAK_FLAGS: readonly string[] = [
  ...OPERATED_FLAGS,
  ...['--auto-compaction-retention', '0', '--snapshot-count', '10000'],
];

/** The present revision. */
export async function revisionOf({ client }: EtcdServer): Promise<number> {
  return Number((await client.kv.range({ key: Buffer.from('/history/'), count_only: true })).header.revision);
}

/** Milliseconds of the monotonic clock; seconds. */
interface Parts {
  readonly from: number;
  readonly seconds: number;
}

/** Compacts in the middle of each part to where etcd was a part before, as an etcd does every ten minutes. */
export async function compactEachPart(etcd: EtcdServer, { from, seconds }: Parts, first: number): Promise<void> {
  let next = first;
  for (let part = 0; part < PARTS; part++) {
    await pause(Math.max(0, from + ((part + 0.5) * seconds * 1000) / PARTS - performance.now()));
    const present = await revisionOf(etcd);
    await etcd.client.kv.compact({ revision: String(next) });
    next = present;
  }
}
