export interface BackOff {
  /** Milliseconds: the first pause. */
  readonly firstMs: number;
  /** Milliseconds: no pause is longer, before the spread. */
  readonly longestMs: number;
}

/**
 * Milliseconds to wait after `failures` failures in a row: doubling up to a limit, and up to 30 % more, so that clients
 * that failed together do not come back together. No errors.
 * @param failures from 1
 * @param random 0 to 1
 */
export const pauseAfter = (failures: number, { firstMs, longestMs }: BackOff, random: number): number =>
  Math.min(firstMs * 2 ** Math.min(failures - 1, 30), longestMs) * (1 + 0.3 * random);
