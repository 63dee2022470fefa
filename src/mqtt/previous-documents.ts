import { LRUCache } from 'lru-cache';
import type { Config } from '../config/config.js';
import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import type { Clock } from '../resilience/clock.js';
import type { ShadowRecord, ShadowStore } from '../store/shadow-store.js';

/** Shadows whose last state is kept for the next `documents` message, unless a door asks for another number. */
const MAX_ENTRIES = 1000;

/** The last published states of shadows with readers of `documents`, so that the next message needs no read of the store. */
export class PreviousDocuments {
  readonly #states: LRUCache<string, ShadowState>;

  constructor(
    private readonly config: Pick<Config, 'requestTimeoutMs'>,
    private readonly clock: Clock,
    private readonly store: ShadowStore,
    maxEntries = MAX_ENTRIES,
  ) {
    // lru-cache rejects a `max` of 0, which turns a cache off, and allocates the slots of a larger one at once.
    this.#states = new LRUCache({ maxSize: Math.max(maxEntries, 1), sizeCalculation: () => 1 });
  }

  /** The state just before `record`, null if there was none, undefined if it must be read. */
  before(id: string, { state }: ShadowRecord): ShadowState | null | undefined {
    // Versions of a shadow have no gaps, so version 1 is a creation, and N follows N - 1.
    if (state.version === 1) return null;
    const known = this.#states.get(id);
    if (known === undefined) return undefined;
    // A deletion consumes a number (PROTOCOL 2.5).
    const step = isTombstone(known) ? 2 : 1;
    return known.version === state.version - step ? known : undefined;
  }

  /** @throws ServiceError cursorGone, storageUnavailable */
  async read({ key, position }: ShadowRecord): Promise<ShadowState | null> {
    const deadline = this.clock.monotonic() + this.config.requestTimeoutMs;
    return (await this.store.getBefore(key, position, { deadline }))?.state ?? null;
  }

  keep(id: string, { state }: ShadowRecord): void {
    this.#states.set(id, state);
  }

  clear(): void {
    this.#states.clear();
  }
}
