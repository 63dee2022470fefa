export interface BackOffRange {
  /** Milliseconds: the first pause, before jitter. */
  readonly first: number;
  /** Milliseconds: no pause is longer, before jitter. */
  readonly longest: number;
}

/**
 * Milliseconds to pause after `failures` earlier pauses: doubling up to a limit, with jitter of +-50 %. No errors.
 * @param random 0 to 1; tests fix it
 */
export function pauseAfter(failures: number, { first, longest }: BackOffRange, random = Math.random): number {
  return Math.min(first * 2 ** Math.min(failures, 30), longest) * (0.5 + random());
}

/**
 * Pauses that double up to a limit. Jitter of +-50 % keeps nodes that failed together from coming back together.
 */
export class BackOff {
  #failures = 0;

  /** @param random 0 to 1; tests fix it */
  constructor(
    private readonly range: BackOffRange,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds until the next attempt; each call counts one more failure. */
  next(): number {
    return pauseAfter(this.#failures++, this.range, this.random);
  }

  /** The next pause is the first again. */
  reset(): void {
    this.#failures = 0;
  }
}
