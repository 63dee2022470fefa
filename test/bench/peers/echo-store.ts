import { isTombstone } from '../../../src/document/shadow-document.js';
import type { Position } from '../../../src/store/position.js';
import { matches, type FeedBatch, type ShadowFeed, type ShadowFilter } from '../../../src/store/shadow-feed.js';
import { submitByUpdate, type Operation } from '../../../src/store/operation.js';
import type {
  Change,
  NamePage,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../../../src/store/shadow-store.js';
import type { Storage } from '../../../src/store/storage.js';
import { MemoryClusterKeys } from '../../harness/memory-cluster-keys.js';

const idOf = ({ tenant, thing, name }: ShadowKey): string => `${tenant}/${thing}/${name ?? ''}`;

interface Reader {
  readonly told: ShadowRecord[];
  wake: () => void;
}

/** No store at all: a change is computed, answered at once and told to the feed. What the doors and the document cost. */
export class EchoStore implements ShadowStore, ShadowFeed {
  readonly health = { ok: true, reason: 'an echo' };
  readonly #records = new Map<string, ShadowRecord>();
  #position: Position = { cluster: 'echo', epoch: 0, revision: 1 };
  readonly #readers = new Set<Reader>();

  async get(key: ShadowKey): Promise<ShadowRecord | null> {
    return this.#records.get(idOf(key)) ?? null;
  }

  async update(key: ShadowKey, change: Change): Promise<ShadowRecord> {
    const id = idOf(key);
    const { state, change: made } = change(this.#records.get(id)?.state ?? null);
    this.#position = { ...this.#position, revision: this.#position.revision + 1 };
    const record: ShadowRecord = { key, state, change: made, position: this.#position };
    this.#records.set(id, record);
    for (const reader of this.#readers) {
      reader.told.push(record);
      reader.wake();
    }
    return record;
  }

  submit(operation: Operation): void {
    submitByUpdate(this, operation);
  }

  async listNames(): Promise<NamePage> {
    return { names: [] };
  }

  async listThings(): Promise<ThingPage> {
    return { things: [] };
  }

  async getBefore(): Promise<ShadowRecord | null> {
    return null;
  }

  async head(): Promise<Position> {
    return this.#position;
  }

  async base(filter: ShadowFilter): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    const live = [...this.#records.values()].filter(({ key, state }) => !isTombstone(state) && matches(filter, key));
    return {
      position: this.#position,
      records: (async function* () {
        yield* live;
      })(),
    };
  }

  /** The hub, and with an external broker what publishes there. What they have not taken waits, as much as the devices have under way. */
  async *after(_position: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const reader: Reader = { told: [], wake: () => {} };
    this.#readers.add(reader);
    signal.addEventListener('abort', () => reader.wake(), { once: true });
    try {
      while (!signal.aborted) {
        const records = reader.told.splice(0);
        for (const record of records) yield { position: record.position, records: [record] };
        if (reader.told.length === 0) await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  async close(): Promise<void> {}
}

export function openEchoStorage(): Storage {
  const echo = new EchoStore();
  return {
    store: echo,
    feed: echo,
    clusterKeys: new MemoryClusterKeys(),
    health: () => echo.health,
    close: () => echo.close(),
  };
}
