import { LRUCache } from 'lru-cache';
import type { Config } from '../config/config.js';
import { isTombstone, type ShadowState } from '../document/shadow-document.js';
import { packedText, StoredDocument, unpack, type PackedDocument } from '../document/stored-document.js';
import type { Clock } from '../resilience/clock.js';
import type { ShadowRecord, ShadowStore } from '../store/shadow-store.js';

/** Shadows whose last state is kept for the next `documents` message, unless a door asks for another number. */
const MAX_ENTRIES = 1000;

/** Bytes that each state counts at least. */
const LEAST_BYTES = 2 * 1024;
/** Bytes that an entry takes beside its text. */
const ENTRY_BYTES = 320;

/** A state as text: a parsed document may take 24 times as much. */
interface Kept {
  readonly version: number;
  /** JSON of a PackedDocument; null: the shadow was deleted. */
  readonly text: string | null;
  /** Epoch seconds. */
  readonly deletedAt: number;
}

/** The last published states of shadows with readers of `documents`, so that the next message needs no read of the store. */
export class PreviousDocuments {
  readonly #states: LRUCache<string, Kept>;

  /** @param maxEntries states of up to 2 KiB that are kept; larger ones count by what they take */
  constructor(
    private readonly config: Pick<Config, 'requestTimeoutMs'>,
    private readonly clock: Clock,
    private readonly store: ShadowStore,
    maxEntries = MAX_ENTRIES,
  ) {
    // lru-cache rejects a `max` of 0, which turns a cache off, and allocates the slots of a larger one at once.
    const maxSize = Math.max(maxEntries * LEAST_BYTES, 1);
    this.#states = new LRUCache({
      maxSize,
      // Beyond ASCII a character may take two bytes of memory.
      sizeCalculation: ({ text }) => Math.max(ENTRY_BYTES + 2 * (text?.length ?? 0), LEAST_BYTES),
    });
  }

  /** The state just before `record`, null if there was none, undefined if it must be read. */
  before(id: string, { state }: ShadowRecord): ShadowState | null | undefined {
    // Versions of a shadow have no gaps, so version 1 is a creation, and N follows N - 1.
    if (state.version === 1) return null;
    const known = this.#states.get(id);
    if (known === undefined) return undefined;
    // A deletion consumes a number (PROTOCOL 2.5).
    const step = known.text === null ? 2 : 1;
    return known.version === state.version - step ? stateOf(known) : undefined;
  }

  /** @throws ServiceError cursorGone, storageUnavailable */
  async read({ key, position }: ShadowRecord): Promise<ShadowState | null> {
    const deadline = this.clock.monotonic() + this.config.requestTimeoutMs;
    return (await this.store.getBefore(key, position, { deadline }))?.state ?? null;
  }

  keep(id: string, { state }: ShadowRecord): void {
    const { version } = state;
    if (isTombstone(state)) return void this.#states.set(id, { version, text: null, deletedAt: state.deletedAt });
    const packed = packedText(StoredDocument.of(state)).slice(1);
    // One flat string takes less than a chain of joined pieces.
    this.#states.set(id, { version, text: Buffer.from(`{${packed}}`).toString(), deletedAt: 0 });
  }

  clear(): void {
    this.#states.clear();
  }
}

function stateOf({ version, text, deletedAt }: Kept): ShadowState {
  if (text === null) return { deleted: true, version, deletedAt };
  return unpack(version, JSON.parse(text) as PackedDocument);
}
