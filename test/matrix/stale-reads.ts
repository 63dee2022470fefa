import type { ReadOp, UpdateOp } from '../faults/model/history.js';

export interface StaleReads {
  /** Reads that lacked a write acknowledged before they began. */
  readonly stale: number;
  /** Milliseconds since the oldest write that one of them lacked was acknowledged. */
  readonly oldestMs: number;
}

/** No errors. */
export function staleReads(updates: readonly UpdateOp[], reads: readonly ReadOp[]): StaleReads {
  const shadows = new Map<string, number[]>();
  for (const { shadow, outcome, step, to } of updates) {
    if (outcome !== 'acked' || step === null) continue;
    const times = shadows.get(shadow) ?? [];
    times[step] = Math.min(times[step] ?? Infinity, to);
    shadows.set(shadow, times);
  }
  // When the first write of this version or of a later one was acknowledged.
  for (const times of shadows.values())
    for (let step = times.length - 1; step >= 0; step--)
      times[step] = Math.min(times[step] ?? Infinity, times[step + 1] ?? Infinity);
  let stale = 0;
  let oldestMs = 0;
  for (const { shadow, told, from } of reads) {
    const lackedAt = shadows.get(shadow)?.[(told?.version ?? 0) + 1] ?? Infinity;
    if (lackedAt >= from) continue;
    stale++;
    oldestMs = Math.max(oldestMs, from - lackedAt);
  }
  return { stale, oldestMs };
}
