export interface BackOffRange {
  /** Milliseconds: the first pause, before jitter. */
  readonly first: number;
  /** Milliseconds: no pause is longer, before jitter. */
  readonly longest: number;
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
    const { first, longest } = this.range;
    return Math.min(first * 2 ** Math.min(this.#failures++, 30), longest) * (0.5 + this.random());
  }

  /** The next pause is the first again. */
  reset(): void {
    this.#failures = 0;
  }
}
