import type { Change, History, UpdateOp } from '../faults/model/history.js';
import { PROMISES, type PromiseName } from '../faults/validate/promises.js';
import { validate } from '../faults/validate/validate.js';
import type { FaultRun } from './matrix-run.js';

/** Promises that a run against the store alone can break. */
export const JUDGED: readonly PromiseName[] = [
  ...[PROMISES.lost, PROMISES.twice, PROMISES.versions, PROMISES.reads, PROMISES.document],
  ...[PROMISES.feed, PROMISES.resume, PROMISES.rejected],
];

/** The verdict of the fault lab, one line for each promise that was broken. No errors. */
export function brokenPromises(history: History): FaultRun['broken'] {
  const found = new Map<string, { promise: string; count: number; first: string }>();
  for (const { promise, text } of validate(history, { maxMemory: Infinity })) {
    if (!JUDGED.includes(promise as PromiseName)) continue;
    const known = found.get(promise);
    if (known) known.count++;
    else found.set(promise, { promise, count: 1, first: text });
  }
  return [...found.values()];
}

/** Acknowledged, and not among the changes that are left. No errors. */
export function lostWrites(updates: readonly UpdateOp[], left: readonly Change[]): readonly UpdateOp[] {
  const kept = new Set(left.map(({ shadow, id }) => `${shadow} ${id}`));
  return updates.filter(({ outcome, shadow, id }) => outcome === 'acked' && !kept.has(`${shadow} ${id}`));
}
