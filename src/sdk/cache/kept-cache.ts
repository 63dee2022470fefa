import type { Platform, Store } from '../platform.js';
import type { ShadowName } from '../shadow/read-state.js';
import type { ShadowState } from '../shadow/state.js';
import type { Limit } from '../within.js';
import { SavedCache, type Restored, type SavedAt } from './saved-cache.js';

/** Milliseconds in which a store has to answer. */
const STORE_MS = 10_000;

export interface KeptCacheParts extends Pick<Platform, 'clock' | 'logger' | 'newId'> {
  readonly store: Store;
  readonly key: string;
  /** What the cache holds. */
  readonly source: string;
  /** Milliseconds between saves. */
  readonly saveMs: number;
  /** `within`, of the page: imported here it would be a file of its own. */
  readonly within: <R>(limit: Limit, task: () => Promise<R>) => Promise<R>;
}

/**
 * A cache that keeps itself in a store. Pages without a store do not load this file. A store that fails costs a start its
 * head start, and nothing else.
 */
export class KeptCache<T> {
  readonly #saved: SavedCache<T>;
  #savedAt = 0;
  #isSaving = false;
  /** The last save; it rejects never. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: KeptCacheParts) {
    this.#saved = new SavedCache(bounded(parts), parts.key, parts.source, parts.newId());
  }

  /** Null: there is nothing to resume from. No errors. */
  load(): Promise<Restored<T> | null> {
    return this.#tried('read', () => this.#saved.load());
  }

  put(state: ShadowState<T>): void {
    this.#saved.put(state);
  }

  drop(name: ShadowName): void {
    this.#saved.drop(name);
  }

  /** Whether it is time for a save. */
  get isDue(): boolean {
    return !this.#isSaving && this.parts.clock.monotonic() - this.#savedAt >= this.parts.saveMs;
  }

  /** Saves what was put and dropped, after the save that is under way. No errors. */
  save(at: SavedAt): Promise<unknown> {
    this.#savedAt = this.parts.clock.monotonic();
    this.#isSaving = true;
    return (this.#last = this.#last.then(async () => {
      await this.#tried('saved', () => this.#saved.save(at));
      this.#isSaving = false;
    }));
  }

  async #tried<R>(what: string, task: () => Promise<R>): Promise<R | null> {
    try {
      return await task();
    } catch (error) {
      this.parts.logger.warn({ error: String(error) }, `a cache could not be ${what}`);
      return null;
    }
  }
}

/** The same store, of which each answer is waited for only so long. */
function bounded({ store, clock, within }: KeptCacheParts): Pick<Store, 'get' | 'set' | 'delete'> {
  const limit = { clock, ms: STORE_MS, what: 'the store of a cache' };
  return {
    get: (key) => within(limit, () => store.get(key)),
    set: (key, value) => within(limit, () => store.set(key, value)),
    delete: (key) => within(limit, () => store.delete(key)),
  };
}
