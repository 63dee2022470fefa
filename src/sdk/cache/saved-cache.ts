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
  readonly format: 3;
  /** What the cache holds: another filter makes another cache. */
  readonly source: string;
  /** For each part the slot that has it, `a` or `b`, and then its stamp; empty: there is nothing in it. */
  readonly stamps: readonly string[];
}

interface StoredPart<T> {
  /** Of which writer and save it is: who shares the key may have written it anew for an index that never came. */
  readonly stamp: string;
  readonly states: readonly ShadowState<T>[];
}

type Part<T> = Map<string, ShadowState<T>>;

/**
 * A cache in a store: its states in parts, of which only those that have changed are written, and an index with the
 * cursor, which is written last. Each part has two slots in turn and the index says which one counts, so index and parts
 * belong together whenever the process dies. Where several write under one key, what they have mixed is not restored.
 */
export class SavedCache<T> {
  #parts: Part<T>[] = [new Map()];
  readonly #dirty = new Set<number>();
  #stamps: readonly string[] = [''];
  #saves = 0;
  #size = 0;
  #cursor: string | null = null;

  constructor(
    private readonly store: Pick<Store, 'get' | 'set' | 'delete'>,
    private readonly key: string,
    private readonly source: string,
    /** An id of its own, for each one that writes. */
    private readonly writer: string,
  ) {}

  /** Null: there is none of this source, or it is damaged or mixed. @throws what the store throws */
  async load(): Promise<Restored<T> | null> {
    const index = parsed<Partial<Index>>(await this.store.get(this.key));
    if (index?.format !== 3 || index.source !== this.source) return null;
    const { cursor, revision, stamps } = index as Index;
    const parts: Part<T>[] = [];
    for (const [i, stamp] of stamps.entries()) {
      const text = stamp === '' ? null : await this.store.get(this.#keyOf(stamps.length, i, stamp));
      const part = stamp === '' ? { stamp, states: [] } : parsed<StoredPart<T>>(text);
      if (part?.stamp !== stamp) return null;
      parts.push(new Map(part.states.map((state) => [keyOf(state), state])));
    }
    this.#parts = parts;
    this.#stamps = stamps;
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
    const before = this.#stamps;
    const stamps = before.length === count ? [...before] : Array<string>(count).fill('');
    const own = `${hashOf(this.writer).toString(36)}.${(++this.#saves).toString(36)}`;
    try {
      for (const [i, states] of changed) {
        const stamp = (stamps[i] = states.length === 0 ? '' : (stamps[i]!.startsWith('a') ? 'b' : 'a') + own);
        const part: StoredPart<T> = { stamp, states };
        if (stamp !== '') await this.store.set(this.#keyOf(count, i, stamp), JSON.stringify(part));
      }
      const index: Index = { format: 3, source: this.source, cursor, revision, stamps };
      await this.store.set(this.key, JSON.stringify(index));
    } catch (error) {
      for (const [i] of changed) if (this.#parts.length === count) this.#dirty.add(i);
      throw error;
    }
    this.#cursor = cursor;
    this.#stamps = stamps;
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

  /** @param slot which its stamp begins with */
  #keyOf(count: number, part: number, [slot]: string): string {
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
