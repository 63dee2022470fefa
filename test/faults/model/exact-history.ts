import { deltaOf, digestOf, type Commit } from './commit.js';
import type { ExactView } from './exact-view.js';

/** Numbers that are appended to, four bytes each: a run of half an hour has millions. */
export class Numbers {
  #values = new Uint32Array(1_024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Uint32Array(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  at(index: number): number {
    if (index >= this.#length) throw new RangeError(`${index} of ${this.#length}`);
    return this.#values[index] as number;
  }

  /** Index of the first value above `value`; the values rise. */
  firstAbove(value: number): number {
    let [from, end] = [0, this.#length];
    while (from < end) {
      const middle = (from + end) >>> 1;
      if ((this.#values[middle] as number) > value) end = middle;
      else from = middle + 1;
    }
    return from;
  }
}

/** All commits in their order, and which of the views shows each: a bit for each view. */
export class Commits {
  readonly revisions = new Numbers();
  readonly digests = new Numbers();
  readonly shown = new Numbers();
  readonly held = new Numbers();
  readonly shadows = new Numbers();
  /** Milliseconds since `began` at which the lab heard of it. */
  readonly times = new Numbers();
  readonly began = performance.now();
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #made = new Set<string>();

  constructor(readonly views: readonly ExactView[]) {
    if (views.length > 32) throw new Error('more views than bits');
  }

  get last(): number {
    const { length } = this.revisions;
    return length === 0 ? 0 : this.revisions.at(length - 1);
  }

  add(commit: Commit): void {
    let number = this.#numbers.get(commit.shadow);
    if (number === undefined) {
      number = this.names.push(commit.shadow) - 1;
      this.#numbers.set(commit.shadow, number);
    }
    this.revisions.push(commit.revision);
    this.digests.push(digestOf({ ...commit, delta: deltaOf(commit) }));
    this.shadows.push(number);
    this.times.push(commit.at - this.began);
    this.shown.push(bits(this.views, (view) => view.shows(commit)));
    this.held.push(bits(this.views, (view) => !commit.deleted && view.holds(commit)));
    if (commit.token !== null) this.#made.add(`${commit.token} ${commit.shadow} ${commit.version}`);
  }

  /** Whether the request of this token has made this version. */
  has(token: string, shadow: string, version: number): boolean {
    return this.#made.has(`${token} ${shadow} ${version}`);
  }

  /** Commits after a revision of which the lab had heard by then. */
  countAfter(revision: number, at: number): number {
    return Math.max(0, this.times.firstAbove(at - this.began) - this.revisions.firstAbove(revision));
  }
}

function bits(views: readonly ExactView[], has: (view: ExactView) => boolean): number {
  return views.reduce((all, view, i) => (has(view) ? all | (1 << i) : all), 0) >>> 0;
}

/** What one reader was told between two starts from the present state. */
export class Segment {
  readonly revisions = new Numbers();
  readonly digests = new Numbers();
  /** Of the present state, digests; null: it began without one. */
  initial: number[] | null = null;
  /** Everything after it is to be told; null: the stream never came so far. */
  base: number | null = null;
  /** The last revision that an id named, and whether all of that revision was told. */
  reached = 0;
  isWhole = true;
}

/** One attempt to resume, and what became of it. Milliseconds of the monotonic clock. */
export interface Resumption {
  readonly reader: string;
  readonly node: number;
  /** Of the cursor. */
  readonly revision: number;
  readonly asked: number;
  readonly at: number;
  readonly outcome: 'resumed' | 'compacted';
}

export interface Compaction {
  readonly revision: number;
  readonly from: number;
  to: number;
}

/** A process of a node: what it can have in memory is what came after its start. */
export interface Lifetime {
  readonly node: number;
  /** The last commit that the lab had heard of when the process was started, and when it was ready. */
  readonly startedAt: number;
  readyAt: number;
  readonly from: number;
}

export interface ReaderHistory {
  readonly name: string;
  readonly view: number;
  readonly segments: Segment[];
}

/** Everything that readers were told, beside what was committed. */
export class ExactHistory {
  readonly readers: ReaderHistory[] = [];
  readonly resumptions: Resumption[] = [];
  readonly compactions: Compaction[] = [];
  readonly lifetimes: Lifetime[] = [];
  /** Times in which etcd may not have answered. */
  readonly shaken: { readonly from: number; to: number }[] = [];
  readonly acked: { readonly token: string; readonly shadow: string; readonly version: number }[] = [];
  readonly remarks: { readonly promise: string; readonly text: string }[] = [];
  /** How often each of these happened. */
  readonly counts = new Map<string, number>();

  constructor(
    readonly commits: Commits,
    /** UMBRA_WATCH_HISTORY_RECORDS. */
    readonly memory: number,
  ) {}

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
