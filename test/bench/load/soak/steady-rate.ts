import { setTimeout as pause } from 'node:timers/promises';

export interface Steady {
  readonly perSecond: number;
  readonly seconds: number;
  /** Calls under way at once; one that is due at the limit is refused. */
  readonly mostInFlight: number;
  /** Milliseconds of `performance.now()` at which the first call is due. */
  readonly from: number;
}

/**
 * Calls at a fixed rate whatever the answers do, for as long as one likes: it keeps nothing of a call that has ended.
 * @param call never rejects
 * @param refuse hears of each call that was not made
 * @returns the number of calls that were due
 */
export async function steadyRate(
  { perSecond, seconds, mostInFlight, from }: Steady,
  call: (n: number, dueAt: number) => Promise<void>,
  refuse: () => void,
): Promise<number> {
  const total = Math.ceil(perSecond * seconds);
  let inFlight = 0;
  for (let n = 0; n < total;) {
    const due = Math.min(total, Math.floor(((performance.now() - from) / 1000) * perSecond));
    for (; n < due; n++) {
      if (inFlight >= mostInFlight) {
        refuse();
        continue;
      }
      inFlight++;
      void call(n, from + (n / perSecond) * 1000).finally(() => inFlight--);
    }
    await pause(1);
  }
  // Each call has a bound of its own.
  while (inFlight > 0) await pause(5);
  return total;
}
