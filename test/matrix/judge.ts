import { PROMISES, type PromiseName } from '../faults/validate/promises.js';

/** Promises that a run against the store alone can break. */
export const JUDGED: readonly PromiseName[] = [
  ...[PROMISES.lost, PROMISES.twice, PROMISES.versions, PROMISES.reads, PROMISES.document],
  ...[PROMISES.feed, PROMISES.rejected],
];
