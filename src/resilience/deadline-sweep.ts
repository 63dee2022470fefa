import type { Clock } from './clock.js';

/** Milliseconds between two looks: how late an expiry may be noticed, and how long what has ended is still held. */
const PERIOD_MS = 25;

export interface Expirable {
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** It has ended otherwise: it is let go at the next look. */
  readonly settled: boolean;
  /** Called once, when the deadline has passed; it is no longer held then. */
  expire(): void;
}

/**
 * Ends what waits too long. One timer for all of them, and none while nobody waits: a timer per write would cost more
 * than the write. A list and not a Set: a Set that is filled and emptied all the time keeps much of what was deleted
 * alive beyond the young generation (with the list a fifth less was copied there).
 */
export class DeadlineSweep<T extends Expirable = Expirable> {
  #items: T[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly clock: Clock) {}

  /** What is held, some of which may be settled. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Ends `item` at its deadline, at most 25 ms late, unless it is settled before. */
  add(item: T): void {
    this.#items.push(item);
    this.#timer ??= setInterval(() => this.#sweep(), PERIOD_MS).unref();
  }

  #sweep(): void {
    const now = this.clock.monotonic();
    const held = this.#items;
    this.#items = [];
    for (const item of held) {
      if (item.settled) continue;
      if (item.deadline <= now) item.expire();
      else this.#items.push(item);
    }
    // Not as soon as the last one has ended: under load the list empties and fills many times per period.
    if (this.#items.length > 0 || !this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
