interface Level<T> {
  readonly children: Map<string, Level<T>>;
  /** Values of filters that end here, and of filters whose next level is `#`. */
  here: readonly T[];
  below: readonly T[];
}

const newLevel = <T>(): Level<T> => ({ children: new Map(), here: [], below: [] });

/**
 * Finds the values whose MQTT filter matches a topic: filters without a wildcard in one look-up, the others level by
 * level, so that the cost does not grow with the number of filters. Lists are replaced, never changed, so a visit goes
 * on safely while filters come and go.
 */
export class TopicTree<T> {
  readonly #exact = new Map<string, readonly T[]>();
  readonly #wildcards = newLevel<T>();

  add(filter: string, value: T): void {
    if (!hasWildcard(filter)) {
      this.#exact.set(filter, [...(this.#exact.get(filter) ?? []), value]);
      return;
    }
    const levels = filter.split('/');
    const below = levels.at(-1) === '#';
    let level = this.#wildcards;
    for (const name of below ? levels.slice(0, -1) : levels) {
      let child = level.children.get(name);
      if (!child) level.children.set(name, (child = newLevel()));
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
    const left = without(this.#exact.get(filter) ?? [], value);
    if (left.length > 0) this.#exact.set(filter, left);
    else this.#exact.delete(filter);
  }

  /** Calls `visit` for each match until it returns true; whether it did. */
  some(topic: string, visit: (value: T) => boolean): boolean {
    const exact = this.#exact.get(topic);
    if (exact?.some(visit)) return true;
    return this.#wildcards.children.size > 0 && someBelow(this.#wildcards, topic.split('/'), 0, visit);
  }

  has(topic: string): boolean {
    return this.#exact.has(topic) || this.some(topic, () => true);
  }

  get isEmpty(): boolean {
    const { children, here, below } = this.#wildcards;
    return this.#exact.size === 0 && children.size === 0 && here.length === 0 && below.length === 0;
  }
}

function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#');
}

function without<T>(values: readonly T[], value: T): readonly T[] {
  const at = values.indexOf(value);
  return at < 0 ? values : values.toSpliced(at, 1);
}

function someBelow<T>(level: Level<T>, topic: readonly string[], depth: number, visit: (value: T) => boolean): boolean {
  // A leading wildcard matches no topic that begins with `$` (MQTT-4.7.2-1).
  const wildcards = depth > 0 || !topic[0]?.startsWith('$');
  if (wildcards && level.below.some(visit)) return true;
  if (depth === topic.length) return level.here.some(visit);
  const child = level.children.get(topic[depth] as string);
  if (child && someBelow(child, topic, depth + 1, visit)) return true;
  const any = wildcards ? level.children.get('+') : undefined;
  return any !== undefined && any !== child && someBelow(any, topic, depth + 1, visit);
}

/** Whether the level is empty afterwards. */
function removeBelow<T>(level: Level<T>, filter: readonly string[], depth: number, value: T): boolean {
  const name = filter[depth];
  if (name === undefined) level.here = without(level.here, value);
  else if (name === '#') level.below = without(level.below, value);
  else {
    const child = level.children.get(name);
    if (child && removeBelow(child, filter, depth + 1, value)) level.children.delete(name);
  }
  return level.children.size === 0 && level.here.length === 0 && level.below.length === 0;
}
