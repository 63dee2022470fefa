import { BUCKET_MS, type Step } from './matrix-run.js';

/** Acknowledgements in each bucket from `start` on; both in milliseconds of one clock. No errors. */
export function bucketsOf(acks: readonly number[], start: number, end: number): number[] {
  const buckets = Array.from({ length: Math.max(1, Math.ceil((end - start) / BUCKET_MS)) }, () => 0);
  for (const at of acks) {
    const i = Math.floor((at - start) / BUCKET_MS);
    if (i >= 0 && i < buckets.length) buckets[i] = (buckets[i] ?? 0) + 1;
  }
  return buckets;
}

export interface Gap {
  /** The last acknowledgement before it, and the first one after it; null: none came. */
  readonly from: number;
  readonly to: number | null;
  readonly ms: number;
}

/** The longest time without an acknowledgement that ended after the fault. @param acks in order. No errors. */
export function longestGap(acks: readonly number[], faultAt: number, end: number): Gap {
  let longest: Gap = { from: faultAt, to: null, ms: -1 };
  let before = acks.findLast((at) => at <= faultAt) ?? faultAt;
  for (const at of acks) {
    if (at <= faultAt) continue;
    if (at - before > longest.ms) longest = { from: before, to: at, ms: at - before };
    before = at;
  }
  return end - before > longest.ms ? { from: before, to: null, ms: end - before } : longest;
}

/** Share of the buckets between fault and healing that have an acknowledgement. No errors. */
export function servedShare(acks: readonly number[], faultAt: number, healedAt: number): number {
  const buckets = bucketsOf(acks, faultAt, healedAt);
  return buckets.filter((count) => count > 0).length / buckets.length;
}

export interface Moments {
  readonly faultAt: number;
  readonly gap: Gap;
  readonly newLeaderAt: number | null;
  /** Times of the changes that a reader was told. */
  readonly told: readonly number[];
  readonly cachesAgreeAt: number | null;
}

/** The way back to service, in milliseconds after the fault. No errors. */
export function stepsOf({ faultAt, gap, newLeaderAt, told, cachesAgreeAt }: Moments): Step[] {
  const after = (at: number | null | undefined): number | null => (at == null ? null : Math.round(at - faultAt));
  const resumed = gap.to === null ? null : told.find((at) => at >= gap.from + 1 && at >= (gap.to ?? 0) - BUCKET_MS);
  return [
    { name: 'last acknowledgement', ms: after(gap.from) },
    { name: 'new leader', ms: after(newLeaderAt) },
    { name: 'first acknowledgement', ms: after(gap.to) },
    { name: 'feed goes on', ms: after(resumed) },
    { name: 'reads agree, writes over', ms: after(cachesAgreeAt) },
  ];
}
