/** Of `matrix.json`: a report is made of one of this format only. */
export const FORMAT = 2;

/** What one run of the lab found, as `matrix.json` has it. The report is made of this and the profiles alone. */
export interface MatrixRun {
  readonly format: typeof FORMAT;
  readonly about: About;
  readonly columns: readonly ColumnFacts[];
  readonly latencies: readonly Latency[];
  readonly throughputs: readonly Throughput[];
  readonly memories: readonly Memory[];
  readonly callTimeouts: readonly CallTimeout[];
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
  readonly load: LoadName;
  readonly operation: 'write' | 'read';
  /** That were due, of each round. */
  readonly perSecond: readonly number[];
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
  /** That reads told of themselves; null: they told none. */
  readonly ageMs: { readonly p50: number; readonly p99: number } | null;
  /** Told ages that cannot be: clocks that do not agree with that of the lab. */
  readonly wrongAges: number;
}

/** `fixed`: as many calls for each column; `half`: half of what the column itself can do; `devices`: an update a second each. */
export type LoadName = 'fixed' | 'half' | 'devices';

/** Bytes that a shadow adds, each process or group of them: resident ones of servers, and those in use of the node. */
export interface Memory {
  readonly column: string;
  readonly shadows: number;
  readonly bytes: Readonly<Record<string, readonly number[]>>;
}

/** How a node of Umbra takes the loss of the leader of etcd, and slow disks, with one time for a call. */
export interface CallTimeout {
  readonly timers: string;
  readonly callTimeoutMs: number;
  /** Milliseconds without an acknowledgement, of each kill of the leader. */
  readonly gaps: readonly number[];
  /** Milliseconds until another member led, of each. */
  readonly elections: readonly number[];
  /** Milliseconds for which the leader was stopped again and again, as a slow disk does; and how often. */
  readonly stopMs: number;
  readonly stops: number;
  /** Writes that were in doubt or refused meanwhile, of so many; and times that the node left a member. */
  readonly failed: number;
  readonly writes: number;
  readonly left: number;
}

export interface Throughput {
  readonly column: string;
  readonly callers: number;
  readonly perSecond: readonly number[];
  /** Microseconds of processor per update, each process or group of them. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  /** Bytes that the kernel has sent to the disk, per update. */
  readonly diskBytes: Readonly<Record<string, number>>;
  /** Bytes between hosts, per update; null: servers had no hosts of their own. */
  readonly networkBytes: number | null;
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
  /** From the first such moment to the last, in milliseconds after the fault; null: there was none. */
  readonly twoWriters: readonly [from: number, to: number] | null;
  /** As `served`, of reads. */
  readonly readsServed: number;
  /** As in Latency, of the whole run. */
  readonly stale: number;
  readonly oldestMs: number;
  /** What else the fault has shown. */
  readonly note: string | null;
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
  /** It was begun and did not come to its end; else it cannot be had here. */
  readonly failed: boolean;
  readonly reason: string;
}

/** Milliseconds of one bucket. */
export const BUCKET_MS = 100;
/** A control further from 1 says that the machine was busy. */
export const CONTROL_OFF = 0.1;
