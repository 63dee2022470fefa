import type { ShadowName } from '../shadow/read-state.js';
import type { ShadowState } from '../shadow/state.js';

/** Values by which a state is found; undefined: none. */
export type Index<T> = (state: ShadowState<T>) => string | readonly string[] | undefined;

/** What a listener is told: `before` is null for an addition, `after` for a removal. */
export interface Difference<T> {
  readonly before: ShadowState<T> | null;
  readonly after: ShadowState<T> | null;
}

/** A name of a thing has no slash in it. */
const keyOf = ({ thing, shadow }: ShadowName): string => (shadow === null ? thing : `${thing}/${shadow}`);

/** States by their names, and by indexes. */
export class Entries<T> {
  readonly #states = new Map<string, ShadowState<T>>();
  readonly #indexes = new Map<string, { readonly index: Index<T>; readonly keys: Map<string, Set<string>> }>();

  constructor(indexes: Readonly<Record<string, Index<T>>>) {
    for (const [name, index] of Object.entries(indexes)) this.#indexes.set(name, { index, keys: new Map() });
  }

  get size(): number {
    return this.#states.size;
  }

  get(name: ShadowName): ShadowState<T> | undefined {
    return this.#states.get(keyOf(name));
  }

  all(): ShadowState<T>[] {
    return [...this.#states.values()];
  }

  /** Undefined: there is no such index. */
  by(name: string, value: string): ShadowState<T>[] | undefined {
    const found = this.#indexes.get(name);
    return found && [...(found.keys.get(value) ?? [])].map((key) => this.#states.get(key)!);
  }

  set(state: ShadowState<T>): Difference<T> {
    const before = this.remove(state).before;
    const key = keyOf(state);
    this.#states.set(key, state);
    for (const { index, keys } of this.#indexes.values()) {
      for (const value of valuesOf(index, state)) {
        const named = keys.get(value) ?? new Set();
        keys.set(value, named.add(key));
      }
    }
    return { before, after: state };
  }

  remove(name: ShadowName): Difference<T> {
    const key = keyOf(name);
    const before = this.#states.get(key) ?? null;
    this.#states.delete(key);
    if (before === null) return { before, after: null };
    for (const { index, keys } of this.#indexes.values()) {
      for (const value of valuesOf(index, before)) {
        const named = keys.get(value);
        named?.delete(key);
        if (named?.size === 0) keys.delete(value);
      }
    }
    return { before, after: null };
  }

  /** Takes over another state of everything. Returns what is different from before. */
  replace(states: Iterable<ShadowState<T>>): Difference<T>[] {
    const fresh = new Map([...states].map((state) => [keyOf(state), state]));
    const gone = this.all().filter((state) => !fresh.has(keyOf(state)));
    const differences = gone.map((state) => this.remove(state));
    for (const state of fresh.values()) {
      const difference = this.set(state);
      if (difference.before === null || !isSame(difference.before, state)) differences.push(difference);
    }
    return differences;
  }
}

/** An index may count the same value twice; whoever mistakes its type gets no value. */
function valuesOf<T>(index: Index<T>, state: ShadowState<T>): ReadonlySet<string> {
  const value = index(state);
  return new Set(value === undefined ? [] : [value].flat());
}

/** After a restored backup the same state may have another revision, and the same version another state. */
const isSame = <T>(a: ShadowState<T>, b: ShadowState<T>): boolean =>
  a.version === b.version && JSON.stringify([a.desired, a.reported]) === JSON.stringify([b.desired, b.reported]);
