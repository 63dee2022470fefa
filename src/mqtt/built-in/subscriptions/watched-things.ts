/** Levels of `$aws/things/{thing}`: a filter with no wildcard in them can only match topics of that thing. */
const THING_LEVEL = 2;

/**
 * The things that filters name. A node hears of every change in the cluster, and one look-up here tells for most of them
 * that nobody asked: without it each change would cost a look-up for each kind of its messages.
 */
export class WatchedThings {
  /** Filters by thing. */
  readonly #filters = new Map<string, number>();
  /** Filters with a wildcard before or at the level of the thing. */
  #others = 0;

  add(filter: string): void {
    const thing = thingOf(filter);
    if (thing === null) this.#others++;
    else this.#filters.set(thing, (this.#filters.get(thing) ?? 0) + 1);
  }

  /** @param filter one that was added */
  remove(filter: string): void {
    const thing = thingOf(filter);
    if (thing === null) return void this.#others--;
    const left = (this.#filters.get(thing) ?? 0) - 1;
    if (left > 0) this.#filters.set(thing, left);
    else this.#filters.delete(thing);
  }

  /** Whether a filter may match a topic of the thing; false is certain. */
  may(thing: string): boolean {
    return this.#others > 0 || this.#filters.has(thing);
  }
}

/** The level of the thing; null when a wildcard may stand for it. Other topics have such a level too: it does no harm. */
function thingOf(filter: string): string | null {
  const levels = filter.split('/', THING_LEVEL + 1);
  return levels.includes('+') || levels.includes('#') ? null : (levels[THING_LEVEL] ?? '');
}
