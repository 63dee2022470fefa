import type { ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowKey } from '../store/shadow-store.js';
import type { SubscriptionQueue } from './subscription-queue.js';

/**
 * Finds the live readers of a change without looking at the others: readers of single things cost nothing for the
 * changes of other things.
 */
export class LiveSubscriptions {
  /** By `tenant`, and by `tenant/thing`: no name can hold a slash. */
  readonly #readers = new Map<string, Set<SubscriptionQueue>>();

  get size(): number {
    return this.#readers.size;
  }

  /** From here on `visit` finds the reader. */
  add(queue: SubscriptionQueue): void {
    const place = placeOf(queue.filter);
    const readers = this.#readers.get(place);
    if (readers) readers.add(queue);
    else this.#readers.set(place, new Set([queue]));
  }

  /** Nothing happens when the reader is not there. */
  delete(queue: SubscriptionQueue): void {
    const place = placeOf(queue.filter);
    const readers = this.#readers.get(place);
    if (readers?.delete(queue) && readers.size === 0) this.#readers.delete(place);
  }

  /** Calls the visitor once for each reader whose filter matches. A visitor may delete the reader it is given. */
  visit(key: ShadowKey, visitor: (queue: SubscriptionQueue) => void): void {
    if (this.#readers.size === 0) return;
    for (const place of [key.tenant, `${key.tenant}/${key.thing}`]) {
      const readers = this.#readers.get(place);
      if (!readers) continue;
      for (const queue of readers) {
        const { name, only } = queue.filter;
        if ((name === undefined || name === key.name) && (only === undefined || only(key))) visitor(queue);
      }
    }
  }

  /** All of them, as of now: a visitor may add and delete. */
  all(): SubscriptionQueue[] {
    return [...this.#readers.values()].flatMap((readers) => [...readers]);
  }
}

const placeOf = ({ tenant, thing }: ShadowFilter): string => (thing === undefined ? tenant : `${tenant}/${thing}`);
