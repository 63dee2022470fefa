/** What one run of the lab found, as `matrix.json` has it. The report is made of this and the profiles alone. */
export interface MatrixRun {
  readonly format: 1;
  readonly about: About;
  readonly columns: readonly ColumnFacts[];
  readonly latencies: readonly Latency[];
  readonly throughputs: readonly Throughput[];
  readonly faults: readonly FaultRun[];
  readonly skipped: readonly Skipped[];
}

export interface About {
  readonly startedAt: string;
  readonly command: string;
  readonly scale: string;
  readonly rounds: number;
  readonly seed: number;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  /** Load average of a minute, before and after. */
  readonly load: readonly [number, number];
  /** One column over itself, measured in turn with the others, round by round: 1 on a machine that has nothing else to do. */
  readonly control: readonly number[];
}

export interface ColumnFacts {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  /** To run it over three hosts, Umbra itself left out. */
  readonly processes: number;
  readonly operations: Judgement;
}

/** No measurement. */
export interface Judgement {
  readonly score: number;
  readonly reason: string;
}

/** At a fixed rate of each operation, open loop. Each list has one figure a round, in milliseconds. */
export interface Latency {
  readonly column: string;
  readonly topology: string;
  readonly operation: 'write' | 'read';
  readonly perSecond: number;
  /** Of all rounds. */
  readonly n: number;
  readonly failed: number;
  readonly p50: readonly number[];
  readonly p99: readonly number[];
  readonly deviation: readonly number[];
  readonly longest: readonly number[];
  /** Of all rounds: milliseconds, and the share of the calls that took no longer. */
  readonly cdf: readonly (readonly [ms: number, share: number])[];
  /** Reads that lacked a write acknowledged before they began, and milliseconds since the oldest write that one lacked. */
  readonly stale: number;
  readonly oldestMs: number;
}

export interface Throughput {
  readonly column: string;
  readonly callers: number;
  readonly perSecond: readonly number[];
  /** Microseconds of processor per update, each process or group of them. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

export interface Step {
  readonly name: string;
  /** Milliseconds after the fault; null: it did not come. */
  readonly ms: number | null;
}

/** One fault once. */
export interface FaultRun {
  readonly column: string;
  readonly fault: string;
  readonly round: number;
  readonly acked: number;
  readonly failed: number;
  /** Acknowledged writes that were gone after all was healed. */
  readonly lost: number;
  /** Some of them: `shadow: write`. */
  readonly lostNames: readonly string[];
  /** Longest time without an acknowledgement, from the fault to the end. */
  readonly gapMs: number;
  /** Share of the 100 ms between the fault and its healing in which at least one write was acknowledged. */
  readonly served: number;
  /** Milliseconds in which two servers took writes; null: not asked in this row. */
  readonly twoWritersMs: number | null;
  readonly broken: readonly { readonly promise: string; readonly count: number; readonly first: string }[];
  /** Acknowledgements in each 100 ms. */
  readonly buckets: readonly number[];
  /** Milliseconds from the first bucket. */
  readonly faultAt: number;
  readonly healedAt: number;
  readonly steps: readonly Step[];
}

export interface Skipped {
  readonly row: string;
  readonly reason: string;
}

/** Milliseconds of one bucket. */
export const BUCKET_MS = 100;
/** A control further from 1 says that the machine was busy. */
export const CONTROL_OFF = 0.1;
