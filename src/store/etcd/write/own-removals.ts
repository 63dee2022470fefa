import { LRUCache } from 'lru-cache';
import type { Changed } from '../../shadow-store.js';

/** Removals that are kept; the feed delivers each within moments. */
const MAX = 1_000;

/**
 * Shadows that this node has removed without a tombstone, since a full etcd grants no lease. etcd's event of a removal
 * carries neither the principal nor the client token: the feed of this node finds them here.
 */
export class OwnRemovals {
  readonly #made = new LRUCache<string, { readonly guard: number; readonly changed: Changed }>({ max: MAX });

  /** @param guard revision of the record that is removed */
  add(key: string, guard: number, changed: Changed): void {
    this.#made.set(key, { guard, changed });
  }

  /** The own removal of the record that was stored at `revision`; undefined when there is none. No errors. */
  get(key: string, revision: number): Changed | undefined {
    const made = this.#made.get(key);
    return made?.guard === revision ? made.changed : undefined;
  }
}
