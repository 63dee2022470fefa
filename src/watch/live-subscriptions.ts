import { NameCounts } from '../store/name-counts.js';
import { hashOf } from '../store/name-hash.js';
import { matchesOfThing, type FeedRecord, type ShadowFilter } from '../store/shadow-feed.js';
import type { SubscriptionQueue } from './subscription-queue.js';

/** Slots, and so bytes, that tell which things have readers of their own. */
const THING_SLOTS = 2 ** 16;

/**
 * Finds the live readers of a change without looking at the others: readers of single things cost nothing for the
 * changes of other things.
 */
export class LiveSubscriptions {
  /** By `tenant`, and by `tenant/thing`: no name can hold a slash. */
  readonly #readers = new Map<string, Set<SubscriptionQueue>>();
  /** Of the things in `#readers`, and how many places there are of whole tenants. */
  readonly #things = new NameCounts(THING_SLOTS);
  #tenants = 0;

  get size(): number {
    return this.#readers.size;
  }

  /** From here on `visit` finds the reader. */
  add(queue: SubscriptionQueue): void {
    const place = placeOf(queue.filter);
    const readers = this.#readers.get(place);
    if (readers) return void readers.add(queue);
    this.#readers.set(place, new Set([queue]));
    const { thing } = queue.filter;
    if (thing === undefined) this.#tenants++;
    else this.#things.add(hashOf(thing));
  }

  /** Nothing happens when the reader is not there. */
  delete(queue: SubscriptionQueue): void {
    const place = placeOf(queue.filter);
    const readers = this.#readers.get(place);
    if (!readers?.delete(queue) || readers.size > 0) return;
    this.#readers.delete(place);
    const { thing } = queue.filter;
    if (thing === undefined) this.#tenants--;
    else this.#things.remove(hashOf(thing));
  }

  /** Calls the visitor once for each reader whose filter matches. A visitor may delete the reader it is given. */
  visit(record: Pick<FeedRecord, 'key' | 'thingHash'>, visitor: (queue: SubscriptionQueue) => void): void {
    if (!this.#mayHave(record.thingHash)) return;
    const { key } = record;
    for (const place of [key.tenant, `${key.tenant}/${key.thing}`]) {
      const readers = this.#readers.get(place);
      if (!readers) continue;
      for (const queue of readers) {
        if (matchesOfThing(queue.filter, key)) visitor(queue);
      }
    }
  }

  #mayHave(thingHash: number | undefined): boolean {
    if (this.#readers.size === 0) return false;
    return this.#tenants > 0 || thingHash === undefined || this.#things.mayHave(thingHash);
  }

  /** All of them, as of now: a visitor may add and delete. */
  all(): SubscriptionQueue[] {
    return [...this.#readers.values()].flatMap((readers) => [...readers]);
  }
}

const placeOf = ({ tenant, thing }: ShadowFilter): string => (thing === undefined ? tenant : `${tenant}/${thing}`);
