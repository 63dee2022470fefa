import type { IBackoff } from 'cockatiel';
import { pauseAfter } from '../resilience/back-off.js';
import type { Clock } from '../resilience/clock.js';

/** Milliseconds that a breaker stays open, before jitter. */
export const OPEN_FOR = { first: 60_000, longest: 300_000 };

/**
 * How long a breaker stays open: 60 s, doubled each time that a probe fails, up to 5 min, with jitter of +-10 % so that
 * nodes do not probe in step. cockatiel compares a duration with the wall clock, which may jump; it is told for ever or
 * not at all, by the monotonic one.
 */
export class OpenPause implements IBackoff<unknown> {
  #openings = 0;
  /** Milliseconds of the monotonic clock. */
  #until = 0;

  /** @param random 0 to 1; tests fix it */
  constructor(
    private readonly clock: Clock,
    private readonly random: () => number = Math.random,
  ) {}

  /** Begins a pause; each is longer than the one before. cockatiel calls it when a breaker opens. */
  next(): this {
    const length = pauseAfter(this.#openings++, OPEN_FOR, () => 0.4 + 0.2 * this.random());
    this.#until = this.clock.monotonic() + length;
    return this;
  }

  /** For cockatiel alone. */
  get duration(): number {
    return this.leftMs > 0 ? Infinity : -Infinity;
  }

  /** Milliseconds until the next call is a probe. */
  get leftMs(): number {
    return Math.max(0, this.#until - this.clock.monotonic());
  }

  /** Ends the present pause. */
  end(): void {
    this.#until = 0;
  }

  /** The next pause is the first again. */
  reset(): void {
    this.#openings = 0;
  }
}
