import type { Store } from '../platform.js';
import type { ShadowName } from '../shadow/read-state.js';
import type { ShadowState } from '../shadow/state.js';

/** Shadows of one part on average, before there are twice as many parts. */
const PART = 256;

/** Where a cache was left. */
export interface SavedAt {
  readonly cursor: string;
  /** All changes up to here are in the states, deletions too, of which they tell nothing. */
  readonly revision: number;
}

export interface Restored<T> extends SavedAt {
  readonly states: readonly ShadowState<T>[];
}

interface Index extends SavedAt {
  readonly format: 2;
  /** What the cache holds: another filter makes another cache. */
  readonly source: string;
  /** For each part the slot that has it; `-`: it is empty. */
  readonly slots: string;
}

type Part<T> = Map<string, ShadowState<T>>;

/**
 * A cache in a store: its states in parts, of which only those that have changed are written, and an index with the
 * cursor, which is written last. Each part has two slots in turn and the index says which one counts, so index and parts
 * belong together whenever the process dies.
 */
export class SavedCache<T> {
  #parts: Part<T>[] = [new Map()];
  readonly #dirty = new Set<number>();
  #slots: string[] = ['-'];
  #size = 0;
  #cursor: string | null = null;

  constructor(
    private readonly store: Pick<Store, 'get' | 'set' | 'delete'>,
    private readonly key: string,
    private readonly source: string,
  ) {}

  /** Null: there is none of this source, or it is damaged. @throws what the store throws */
  async load(): Promise<Restored<T> | null> {
    const index = parsed<Partial<Index>>(await this.store.get(this.key));
    if (index?.format !== 2 || index.source !== this.source) return null;
    const { cursor, revision, slots } = index as Index;
    const parts: Part<T>[] = [];
    for (const [i, slot] of [...slots].entries()) {
      const text = slot === '-' ? '[]' : await this.store.get(this.#keyOf(slots.length, i, slot));
      const states = parsed<ShadowState<T>[]>(text);
      if (!Array.isArray(states)) return null;
      parts.push(new Map(states.map((state) => [keyOf(state), state])));
    }
    this.#parts = parts;
    this.#slots = [...slots];
    this.#size = parts.reduce((sum, { size }) => sum + size, 0);
    this.#cursor = cursor;
    return { cursor, revision, states: parts.flatMap((part) => [...part.values()]) };
  }

  /** Notes a state for the next `save`. No errors. */
  put(state: ShadowState<T>): void {
    const key = keyOf(state);
    if (!this.#partOf(key).has(key) && ++this.#size > this.#parts.length * PART) this.#grow();
    this.#partOf(key, true).set(key, state);
  }

  /** The same for one that is gone. No errors. */
  drop(name: ShadowName): void {
    const key = keyOf(name);
    if (this.#partOf(key, true).delete(key)) this.#size--;
  }

  /**
   * Writes what was noted up to now; what is noted meanwhile is for the next time. One after the other.
   * @throws what the store throws
   */
  async save({ cursor, revision }: SavedAt): Promise<void> {
    if (cursor === this.#cursor && this.#dirty.size === 0) return;
    const count = this.#parts.length;
    const changed = [...this.#dirty].map((i) => [i, [...this.#parts[i]!.values()]] as const);
    this.#dirty.clear();
    const before = this.#slots;
    const slots = before.length === count ? [...before] : Array<string>(count).fill('-');
    try {
      for (const [i, states] of changed) {
        slots[i] = states.length === 0 ? '-' : slots[i] === 'a' ? 'b' : 'a';
        if (slots[i] !== '-') await this.store.set(this.#keyOf(count, i, slots[i]!), JSON.stringify(states));
      }
      const index: Index = { format: 2, source: this.source, cursor, revision, slots: slots.join('') };
      await this.store.set(this.key, JSON.stringify(index));
    } catch (error) {
      for (const [i] of changed) if (this.#parts.length === count) this.#dirty.add(i);
      throw error;
    }
    this.#cursor = cursor;
    this.#slots = slots;
    if (before.length !== count) await this.#forget(before.length);
  }

  /** Twice as many parts, all of which are written then. */
  #grow(): void {
    const states = this.#parts.flatMap((part) => [...part]);
    this.#parts = Array.from({ length: this.#parts.length * 2 }, () => new Map());
    for (const [key, state] of states) this.#partOf(key).set(key, state);
    this.#dirty.clear();
    for (const i of this.#parts.keys()) this.#dirty.add(i);
  }

  async #forget(count: number): Promise<void> {
    for (let i = 0; i < count; i++) for (const slot of 'ab') await this.store.delete(this.#keyOf(count, i, slot));
  }

  #partOf(key: string, isChanged = false): Part<T> {
    const i = hashOf(key) % this.#parts.length;
    if (isChanged) this.#dirty.add(i);
    return this.#parts[i]!;
  }

  #keyOf(count: number, part: number, slot: string): string {
    return `${this.key}/${count}/${part}${slot}`;
  }
}

/** A name of a thing has no slash in it. What this module has of others, pages would load with it. */
const keyOf = ({ thing, shadow }: ShadowName): string => (shadow === null ? thing : `${thing}/${shadow}`);

function parsed<V>(text: string | null): V | null {
  try {
    return text === null ? null : (JSON.parse(text) as V);
  } catch {
    return null;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
