import type { AccessEntry } from './access-records.js';

/** The records of one kind, by the first name (mostly the tenant) and the others: a look-up joins no texts. */
export class RecordTable<R> {
  readonly #groups = new Map<string, Map<string, AccessEntry<R>>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(first = '', second = '', third?: string): AccessEntry<R> | null {
    return this.#groups.get(first)?.get(third === undefined ? second : `${second}/${third}`) ?? null;
  }

  set(entry: AccessEntry<R>): void {
    const [first = '', ...others] = entry.names;
    let group = this.#groups.get(first);
    if (!group) this.#groups.set(first, (group = new Map()));
    const before = group.size;
    group.set(others.join('/'), entry);
    this.#size += group.size - before;
  }

  delete(names: readonly string[]): void {
    const [first = '', ...others] = names;
    const group = this.#groups.get(first);
    if (!group?.delete(others.join('/'))) return;
    this.#size--;
    if (group.size === 0) this.#groups.delete(first);
  }

  /** How many records have this first name. */
  sizeUnder(first: string): number {
    return this.#groups.get(first)?.size ?? 0;
  }

  /** All records whose first name this is. */
  *under(first: string): Generator<AccessEntry<R>> {
    yield* this.#groups.get(first)?.values() ?? [];
  }

  *all(): Generator<AccessEntry<R>> {
    for (const group of this.#groups.values()) yield* group.values();
  }
}
