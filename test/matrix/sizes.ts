import type { FaultTimes } from './fault-run.js';

/** How long and how large a run is. */
export interface Size {
  readonly name: 'full' | 'quick' | 'smoke';
  readonly rounds: number;
  /** Seconds of a window of latency, and of one of throughput. */
  readonly latencySeconds: number;
  readonly throughputSeconds: number;
  readonly perSecond: number;
  /** A second, where milliseconds lie between members. */
  readonly farPerSecond: number;
  readonly between: readonly number[];
  readonly callers: number;
  /** Each with one update a second. */
  readonly devices: number;
  readonly times: FaultTimes;
  /** Rows of the faults that are tried, and how often each. */
  readonly faults: Readonly<Record<string, number>>;
  /** Kills of the leader for each call timeout. */
  readonly kills: number;
}

/** Sentinels take 8 s and more until they make a replica of a primary that is back. */
const TIMES: FaultTimes = { calm: 1_500, hold: 10_000, rest: 10_000 };

export const SIZES: Readonly<Record<Size['name'], Size>> = {
  full: {
    ...{ name: 'full', rounds: 5, latencySeconds: 4, throughputSeconds: 2, perSecond: 500 },
    ...{ farPerSecond: 200, between: [2, 10], callers: 1_600, devices: 10_000, times: TIMES, kills: 10 },
    faults: {
      ...{ 'split-brain': 3, killed: 1, 'killed-fast': 1, 'split-brain-fast': 1, stopped: 1, 'cut-off': 1, lossy: 1 },
      ...{ restart: 1, 'full-disk': 1, 'redis-lost': 1, 'adapter-stopped': 1, 'stream-trimmed': 1 },
    },
  },
  quick: {
    ...{ name: 'quick', rounds: 1, latencySeconds: 3, throughputSeconds: 2, perSecond: 500 },
    ...{ farPerSecond: 200, between: [10], callers: 1_600, devices: 10_000, kills: 3 },
    ...{ times: { calm: 1_000, hold: 8_000, rest: 8_000 }, faults: { 'split-brain': 1, killed: 1 } },
  },
  smoke: {
    ...{ name: 'smoke', rounds: 1, latencySeconds: 0.5, throughputSeconds: 0.5, perSecond: 100 },
    ...{ farPerSecond: 50, between: [], callers: 50, devices: 200, kills: 1 },
    ...{ times: { calm: 500, hold: 4_500, rest: 500 }, faults: { 'split-brain': 1 } },
  },
};
