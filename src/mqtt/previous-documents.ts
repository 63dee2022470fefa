import { Inject, Injectable } from '@nestjs/common';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from '../config/config.js';
import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import { SHADOW_STORE, type ShadowRecord, type ShadowStore } from '../store/shadow-store.js';

/** Shadows whose last state is kept for the next `documents` message. */
const MAX_ENTRIES = 1000;

/** The last seen states of shadows whose documents somebody reads: the next message needs no read of the store. */
@Injectable()
export class PreviousDocuments {
  readonly #states = new Map<string, ShadowState>();
  maxEntries = MAX_ENTRIES;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'requestTimeoutMs'>,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(SHADOW_STORE) private readonly store: ShadowStore,
  ) {}

  /** The state just before `record`, null if there was none, undefined if it has to be read. */
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
    this.#states.delete(id);
    this.#states.set(id, state);
    if (this.#states.size <= this.maxEntries) return;
    for (const oldest of this.#states.keys()) {
      this.#states.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.#states.clear();
  }
}
