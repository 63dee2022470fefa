interface Level<T> {
  /** null: there are none. */
  children: Map<string, Level<T>> | null;
  /** Values of filters that end here, and of filters whose next level is `#`. */
  here: readonly T[];
  below: readonly T[];
}

/** Shared by all levels that have no values: most have none, and a device's filter may have five levels. */
const NONE: readonly never[] = [];
const newLevel = <T>(): Level<T> => ({ children: null, here: NONE, below: NONE });

/**
 * Finds the values whose MQTT filter matches a topic: filters without a wildcard in one look-up, the others level by
 * level, so that the cost does not grow with the number of filters. Lists are replaced, never changed, so a visit goes
 * on safely while filters come and go.
 */
export class TopicTree<T> {
  /** A value, or a list of two and more: most topics have one subscriber. Values are no arrays. */
  readonly #exact = new Map<string, T | readonly T[]>();
  readonly #wildcards = newLevel<T>();

  add(filter: string, value: T): void {
    if (!hasWildcard(filter)) {
      const before = this.#exact.get(filter);
      this.#exact.set(filter, before === undefined ? value : [...listOf(before), value]);
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
    if (below) level.below = [...level.below, value];
    else level.here = [...level.here, value];
  }

  /** Removes the value once. */
  remove(filter: string, value: T): void {
    if (hasWildcard(filter)) {
      removeBelow(this.#wildcards, filter.split('/'), 0, value);
      return;
    }
    const before = this.#exact.get(filter);
    const left = before === undefined ? [] : without(listOf(before), value);
    if (left.length === 0) this.#exact.delete(filter);
    else this.#exact.set(filter, left.length === 1 ? (left[0] as T) : left);
  }

  /** Calls `visit` for each match until it returns true; whether it did. */
  some(topic: string, visit: (value: T) => boolean): boolean {
    const exact = this.#exact.get(topic);
    if (exact !== undefined && (Array.isArray(exact) ? (exact as readonly T[]).some(visit) : visit(exact as T)))
      return true;
    return !this.#hasNoWildcards && someBelow(this.#wildcards, topic.split('/'), 0, visit);
  }

  has(topic: string): boolean {
    return this.#exact.has(topic) || this.some(topic, () => true);
  }

  get isEmpty(): boolean {
    return this.#exact.size === 0 && this.#hasNoWildcards;
  }

  get #hasNoWildcards(): boolean {
    const { children, here, below } = this.#wildcards;
    return children === null && here.length === 0 && below.length === 0;
  }
}

function listOf<T>(values: T | readonly T[]): readonly T[] {
  return Array.isArray(values) ? (values as readonly T[]) : [values as T];
}

function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

function without<T>(values: readonly T[], value: T): readonly T[] {
  const at = values.indexOf(value);
  if (at < 0) return values;
  return values.length === 1 ? NONE : values.toSpliced(at, 1);
}

function someBelow<T>(level: Level<T>, topic: readonly string[], depth: number, visit: (value: T) => boolean): boolean {
  // A leading wildcard matches no topic that begins with `$` (MQTT-4.7.2-1).
  const wildcards = depth > 0 || !topic[0]?.startsWith('$');
  if (wildcards && level.below.some(visit)) return true;
  if (depth === topic.length) return level.here.some(visit);
  const child = level.children?.get(topic[depth] as string);
  if (child && someBelow(child, topic, depth + 1, visit)) return true;
  const any = wildcards ? level.children?.get('+') : undefined;
  return any !== undefined && any !== child && someBelow(any, topic, depth + 1, visit);
}

/** Whether the level is empty afterwards. */
function removeBelow<T>(level: Level<T>, filter: readonly string[], depth: number, value: T): boolean {
  const name = filter[depth];
  if (name === undefined) level.here = without(level.here, value);
  else if (name === '#') level.below = without(level.below, value);
  else {
    const child = level.children?.get(name);
    if (child && removeBelow(child, filter, depth + 1, value)) level.children?.delete(name);
    if (level.children?.size === 0) level.children = null;
  }
  return level.children === null && level.here.length === 0 && level.below.length === 0;
}
