import { minus, plus, someOf, type Few } from './few.js';

interface Level<T> {
  /** null: there are none. */
  children: Map<string, Level<T>> | null;
  /** Values of filters that end here, and of filters whose next level is `#`. */
  here: Few<T>;
  below: Few<T>;
}

const newLevel = <T>(): Level<T> => ({ children: null, here: null, below: null });

/**
 * Finds the values whose MQTT filter matches a topic: filters without a wildcard in one look-up, the others level by
 * level, so that the cost does not grow with the number of filters. A visit goes on safely while filters come and go.
 */
export class TopicTree<T> {
  readonly #exact = new Map<string, Few<T>>();
  readonly #wildcards = newLevel<T>();

  /** @param value one that the filter does not have yet */
  add(filter: string, value: T): void {
    if (!hasWildcard(filter)) {
      this.#exact.set(filter, plus(this.#exact.get(filter) ?? null, value));
      return;
    }
    const levels = filter.split('/');
    const below = levels.at(-1) === '#';
    let level = this.#wildcards;
    for (const name of below ? levels.slice(0, -1) : levels) {
      const children: Map<string, Level<T>> = (level.children ??= new Map());
      let child = children.get(name);
      if (!child) children.set(name, (child = newLevel()));
      level = child;
    }
    if (below) level.below = plus(level.below, value);
    else level.here = plus(level.here, value);
  }

  remove(filter: string, value: T): void {
    if (hasWildcard(filter)) {
      removeBelow(this.#wildcards, filter.split('/'), 0, value);
      return;
    }
    const left = minus(this.#exact.get(filter) ?? null, value);
    if (left === null) this.#exact.delete(filter);
    else this.#exact.set(filter, left);
  }

  /** Calls `visit` for each match until it returns true; whether it did. */
  some(topic: string, visit: (value: T) => boolean): boolean {
    if (someOf(this.#exact.get(topic) ?? null, visit)) return true;
    return !isEmpty(this.#wildcards) && someBelow(this.#wildcards, topic.split('/'), 0, visit);
  }

  has(topic: string): boolean {
    return this.#exact.has(topic) || this.some(topic, () => true);
  }

  get isEmpty(): boolean {
    return this.#exact.size === 0 && isEmpty(this.#wildcards);
  }
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

function isEmpty<T>({ children, here, below }: Level<T>): boolean {
  return children === null && here === null && below === null;
}

function someBelow<T>(level: Level<T>, topic: readonly string[], depth: number, visit: (value: T) => boolean): boolean {
  // A leading wildcard matches no topic that begins with `$` (MQTT-4.7.2-1).
  const wildcards = depth > 0 || !topic[0]?.startsWith('$');
  if (wildcards && someOf(level.below, visit)) return true;
  if (depth === topic.length) return someOf(level.here, visit);
  const child = level.children?.get(topic[depth] as string);
  if (child && someBelow(child, topic, depth + 1, visit)) return true;
  const any = wildcards ? level.children?.get('+') : undefined;
  return any !== undefined && any !== child && someBelow(any, topic, depth + 1, visit);
}

/** Whether the level is empty afterwards. */
function removeBelow<T>(level: Level<T>, filter: readonly string[], depth: number, value: T): boolean {
  const name = filter[depth];
  if (name === undefined) level.here = minus(level.here, value);
  else if (name === '#') level.below = minus(level.below, value);
  else {
    const child = level.children?.get(name);
    if (child && removeBelow(child, filter, depth + 1, value)) level.children?.delete(name);
    if (level.children?.size === 0) level.children = null;
  }
  return isEmpty(level);
}
