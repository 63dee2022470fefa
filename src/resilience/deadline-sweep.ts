import type { Clock } from './clock.js';

/** Milliseconds between two sweeps: an expiry is at most this late, and a settled item is held at most this long. */
const PERIOD_MS = 25;

export interface Expirable {
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  /** The item has ended in another way; the next sweep drops it. */
  readonly settled: boolean;
  /** Called once, after the deadline has passed and the sweep has dropped the item. */
  expire(): void;
}

/**
 * Expires items at their deadlines. One timer serves all items, and none runs while the list is empty: a timer per
 * write would cost more than the write. The items are a list, not a Set: a Set that fills and empties all the time
 * keeps many deleted items alive beyond the young generation (with the list a fifth less was copied there).
 */
export class DeadlineSweep<T extends Expirable = Expirable> {
  #items: T[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(private readonly clock: Clock) {}

  /** Items that are held; some may be settled already. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Expires `item` at its deadline, at most 25 ms late, unless it is settled before. */
  add(item: T): void {
    this.#items.push(item);
    this.#timer ??= setInterval(() => this.#sweep(), PERIOD_MS).unref();
  }

  #sweep(): void {
    const now = this.clock.monotonic();
    const items = this.#items;
    const expired: T[] = [];
    let held = 0;
    for (const item of items) {
      if (item.settled) continue;
      if (item.deadline <= now) expired.push(item);
      else items[held++] = item;
    }
    items.length = held;
    // Only now: an expiry may add items, and settle others.
    for (const item of expired) if (!item.settled) item.expire();
    // The timer outlives the last item by up to a period: under load the list empties and fills many times per period.
    if (this.#items.length > 0 || !this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }
}
