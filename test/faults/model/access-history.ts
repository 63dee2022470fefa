/**
 * What an attempt led to. `allowed`: it passed the gate, whatever became of it behind. `lost`: a connection ended without
 * a refusal. `none`: nobody answered, or the answer tells nothing of the gate.
 */
export type Verdict = 'allowed' | 'refused' | 'lost' | 'none';

/** One attempt of somebody at one node. Milliseconds of the lab's monotonic clock. */
export interface Attempt {
  readonly who: string;
  readonly node: number;
  readonly how: string;
  readonly from: number;
  readonly to: number;
  readonly verdict: Verdict;
}

/** An administrator gives or withdraws. Between `begun` and `acked` either may hold. */
export interface AccessChange {
  readonly who: string;
  readonly isGiven: boolean;
  readonly begun: number;
  /** Infinity while there is no answer. */
  acked: number;
}

/** A node that cannot hear of changes (`cut` off from etcd, or `down`), or for a while may not (`shaken`). */
export interface Away {
  readonly node: number;
  readonly kind: 'cut' | 'down' | 'shaken';
  readonly from: number;
  /** When it could reach etcd again; Infinity before, and for one that was down. */
  reachable: number;
  /** When it had to know what had happened meanwhile; Infinity before. */
  to: number;
}

/** Everything that was tried, and what should have become of it. */
export class AccessHistory {
  readonly attempts: Attempt[] = [];
  /** Of each device, in order; the first one is from before the traffic. */
  readonly changes = new Map<string, AccessChange[]>();
  readonly away: Away[] = [];
  /** Names in `who` of those that may nothing, ever. */
  readonly intruders = new Set<string>();

  now(): number {
    return performance.now();
  }
}
