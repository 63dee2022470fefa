import type { Store } from '../platform.js';
import type { ShadowState } from '../shadow/state.js';

interface Saved<T> {
  readonly format: 1;
  /** What the cache holds: another filter makes another cache. */
  readonly source: string;
  readonly cursor: string;
  readonly revision: number;
  readonly states: readonly ShadowState<T>[];
}

/** A later cursor up to which nothing has changed. */
interface Later {
  readonly of: string;
  readonly cursor: string;
  readonly revision: number;
}

export interface Restored<T> {
  readonly cursor: string;
  /** All changes up to here are in the states, deletions too, of which they tell nothing. */
  readonly revision: number;
  readonly states: readonly ShadowState<T>[];
}

/**
 * A cache in a store: its states and its cursor in one text, so that they belong together whenever the process dies. The
 * cursor of an idle stream moves too; that is kept beside it.
 */
export class SavedCache<T> {
  #saved: string | null = null;
  #later: string | null = null;

  constructor(
    private readonly store: Store,
    private readonly key: string,
    private readonly source: string,
  ) {}

  /** Null: there is none of this source. @throws what the store throws */
  async load(): Promise<Restored<T> | null> {
    const saved = parsed<Saved<T>>(await this.store.get(this.key));
    if (saved?.format !== 1 || saved.source !== this.source || !Array.isArray(saved.states)) return null;
    if (!Number.isSafeInteger(saved.revision)) return null;
    const later = parsed<Later>(await this.store.get(this.#laterKey));
    this.#saved = saved.cursor;
    const { cursor, revision } = later?.of === saved.cursor ? later : saved;
    return { states: saved.states, cursor, revision };
  }

  /** @throws what the store throws */
  async save({ cursor, revision, states }: Restored<T>): Promise<void> {
    const saved: Saved<T> = { format: 1, source: this.source, cursor, revision, states };
    await this.store.set(this.key, JSON.stringify(saved));
    this.#saved = cursor;
  }

  /** Nothing has changed since the last `save` or `load`. @throws what the store throws */
  async move({ cursor, revision }: Omit<Restored<T>, 'states'>): Promise<void> {
    if (this.#saved === null || this.#later === cursor) return;
    const later: Later = { of: this.#saved, cursor, revision };
    await this.store.set(this.#laterKey, JSON.stringify(later));
    this.#later = cursor;
  }

  get #laterKey(): string {
    return `${this.key}/cursor`;
  }
}

function parsed<V>(text: string | null): V | null {
  try {
    return text === null ? null : (JSON.parse(text) as V);
  } catch {
    return null;
  }
}
