import type { FaultTimes } from './fault-run.js';

/** How long and how large a run is. */
export interface Size {
  readonly name: 'full' | 'quick' | 'smoke';
  readonly rounds: number;
  readonly faultRounds: number;
  /** Seconds of a window of latency, and of one of throughput. */
  readonly latencySeconds: number;
  readonly throughputSeconds: number;
  readonly perSecond: number;
  /** A second, where milliseconds lie between members. */
  readonly farPerSecond: number;
  readonly between: readonly number[];
  readonly callers: number;
  readonly times: FaultTimes;
  /** Of the list of faults, from its beginning. */
  readonly faults: number;
}

/** Sentinels take 8 s and more until they make a replica of a primary that is back. */
const TIMES: FaultTimes = { calm: 2_000, hold: 12_000, rest: 12_000 };

export const SIZES: Readonly<Record<Size['name'], Size>> = {
  full: {
    ...{ name: 'full', rounds: 5, faultRounds: 3, latencySeconds: 10, throughputSeconds: 6, perSecond: 500 },
    ...{ farPerSecond: 200, between: [2, 10], callers: 1_600, times: TIMES, faults: 4 },
  },
  quick: {
    ...{ name: 'quick', rounds: 1, faultRounds: 1, latencySeconds: 5, throughputSeconds: 3, perSecond: 500 },
    ...{
      farPerSecond: 200,
      between: [10],
      callers: 1_600,
      times: { ...TIMES, calm: 1_500, hold: 8_000, rest: 10_000 },
      faults: 2,
    },
  },
  smoke: {
    ...{ name: 'smoke', rounds: 1, faultRounds: 1, latencySeconds: 1, throughputSeconds: 0.5, perSecond: 100 },
    ...{ farPerSecond: 50, between: [], callers: 50, times: { calm: 500, hold: 6_000, rest: 1_000 }, faults: 1 },
  },
};
