/** Milliseconds between two looks at what is due. */
export const TICK_MS = 20;
/** Milliseconds that one look counts for at most: what a blocked loop has missed is not made up for in one burst. */
const LONGEST_STEP_MS = 2 * TICK_MS;
/** How much faster than even it goes when it is late. */
const CATCHING_UP = 1.1;

/** Milliseconds that so many things take, of which none is to wait for more than a tick after the one before. No errors. */
export const spanOf = (count: number, withinMs: number): number => Math.min(withinMs, count * TICK_MS);

/**
 * How many of some things are due at a time, so that they are spread evenly over a span; the same rate goes on after it.
 * In any 100 ms at most one and a half times the even share is due, or two where that is more.
 */
export class Pace {
  /** In a millisecond. */
  readonly #rate: number;
  /** The first is due at once. */
  #credit = 1;
  #given = 0;
  #last: number;

  /**
   * @param count of the things
   * @param withinMs milliseconds of the span
   * @param start milliseconds of a monotonic clock
   */
  constructor(
    count: number,
    withinMs: number,
    private readonly start: number,
  ) {
    this.#rate = withinMs > 0 ? count / withinMs : Infinity;
    this.#last = start;
  }

  /** How many more are due. No errors. @param now milliseconds, never less than before */
  due(now: number): number {
    if (this.#rate === Infinity) return Infinity;
    const isLate = this.#given < Math.floor((now - this.start) * this.#rate);
    const step = Math.min(now - this.#last, LONGEST_STEP_MS);
    this.#last = now;
    this.#credit += step * this.#rate * (isLate ? CATCHING_UP : 1);
    const due = Math.floor(this.#credit);
    this.#credit -= due;
    this.#given += due;
    return due;
  }
}

/**
 * Calls `each` for all items at an even rate over `withinMs` milliseconds, or a tick for each where that is shorter; a
 * blocked loop makes it longer. Resolves when all have had their turn; `each` must not throw. No errors.
 */
export async function evenly<T>(items: readonly T[], withinMs: number, each: (item: T) => void): Promise<void> {
  const pace = new Pace(items.length, spanOf(items.length, withinMs), performance.now());
  for (let at = 0; at < items.length;) {
    for (let due = pace.due(performance.now()); due > 0 && at < items.length; due--) each(items[at++]!);
    if (at < items.length) await nextTick();
  }
}

/** Resolves after one tick. No errors. */
export function nextTick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, TICK_MS).unref());
}
