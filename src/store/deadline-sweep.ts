import type { Clock } from '../config/clock.js';

/** Milliseconds between two looks: how late an expiry may be noticed. */
const PERIOD_MS = 25;

export interface Expirable {
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Called once, when the deadline has passed; it is no longer held then. */
  expire(): void;
}

/**
 * Ends what waits too long. One timer for all of them, and none while nobody waits: a timer per write would cost more
 * than the write.
 */
export class DeadlineSweep {
  readonly #waiting = new Set<Expirable>();
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.#waiting.size;
  }

  /** Ends `item` at its deadline, at most 25 ms late, unless it is deleted before. */
  add(item: Expirable): void {
    this.#waiting.add(item);
    this.#timer ??= setInterval(() => this.sweep(), PERIOD_MS).unref();
  }

  /** For what has ended otherwise; nothing happens when it is not held. */
  delete(item: Expirable): void {
    this.#waiting.delete(item);
    // The timer ends at its next look, not here: under load the set empties and fills many times per period.
  }

  private sweep(): void {
    const now = this.clock.now();
    for (const item of this.#waiting) {
      if (item.deadline > now) continue;
      this.#waiting.delete(item);
      item.expire();
    }
    if (this.#waiting.size > 0 || !this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
