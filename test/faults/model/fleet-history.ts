import type { Answer } from '../actors/request.js';
import type { Commit } from './commit.js';
import type { Outcome } from './history.js';

/** One lease of a group of things; of two, the one with the higher token was taken later. */
export interface LeaseTaken {
  readonly group: string;
  /** The revision at which it was taken. */
  readonly token: number;
}

/** What came under a lease after the next one was taken. */
export interface LateWrite {
  readonly id: string;
  readonly how: string;
  /** null: no answer. */
  readonly status: number | null;
}

export interface Promotion {
  readonly id: string;
  readonly thing: string;
  readonly from: string;
  /** By which it was guarded: of the staged shadow, and of the one that goes live. */
  readonly fromVersion: number;
  readonly version: number;
  outcome: Outcome;
}

/** One request with an Idempotency-Key whose node was killed before its answer came. */
export interface KeyedRequest {
  readonly id: string;
  /** Shadows that it changes. */
  readonly shadows: readonly string[];
  /** When it was repeated, in milliseconds of the lab's clock. */
  repeatedAt: number;
  /** To its repetitions. */
  readonly answers: Answer[];
}

/** What was asked of leases, keys and promotions, beside what etcd has kept of it. */
export class FleetHistory {
  readonly commits: Commit[] = [];
  /** By the token of the request. */
  readonly made = new Map<string, Commit[]>();
  readonly leases: LeaseTaken[] = [];
  readonly late: LateWrite[] = [];
  readonly promotions: Promotion[] = [];
  readonly keyed: KeyedRequest[] = [];
  readonly counts = new Map<string, number>();

  add(commit: Commit): void {
    this.commits.push(commit);
    if (commit.token === null) return;
    const made = this.made.get(commit.token);
    if (made) made.push(commit);
    else this.made.set(commit.token, [commit]);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** Things of a group of leases end with their own number: `{group}-{n}`. */
export const groupOf = (thing: string): string => thing.slice(0, thing.lastIndexOf('-'));
