import type { Histogram } from '../../../telemetry/recorder.js';

/** Own commits that may wait for the feed; beyond them the oldest is forgotten. */
const MAX_WAITING = 1024;

/** How long the feed takes to bring what this node has committed, by one clock. */
export class FeedLag {
  /** Rings: revisions, and when etcd answered, in milliseconds of the monotonic clock. */
  readonly #revisions = new Float64Array(MAX_WAITING);
  readonly #times = new Float64Array(MAX_WAITING);
  #first = 0;
  #size = 0;
  #seen = 0;

  constructor(private readonly lag: Histogram) {}

  /** etcd has answered that own writes were committed. @param now milliseconds of the monotonic clock */
  committed(revision: number, now: number): void {
    if (revision <= this.#seen) return this.lag.observe(0, 0);
    // Nobody follows the feed yet.
    if (this.#seen === 0) return;
    if (this.#size === MAX_WAITING) this.#drop();
    const place = (this.#first + this.#size++) % MAX_WAITING;
    this.#revisions[place] = revision;
    this.#times[place] = now;
  }

  /** The feed has brought everything up to this revision. @param now milliseconds of the monotonic clock */
  reached(revision: number, now: number): void {
    if (revision > this.#seen) this.#seen = revision;
    // Batches are answered nearly in the order of their revisions.
    while (this.#size > 0 && this.#revisions[this.#first]! <= revision) {
      this.lag.observe(0, now - this.#times[this.#first]!);
      this.#drop();
    }
  }

  /** Revisions begin anew, as after a restored backup: what waits never comes. */
  reset(): void {
    this.#size = 0;
    this.#seen = 0;
  }

  #drop(): void {
    this.#first = (this.#first + 1) % MAX_WAITING;
    this.#size--;
  }
}
