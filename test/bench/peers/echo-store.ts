import { isTombstone } from '../../../src/document/shadow-document.js';
import type { Position } from '../../../src/store/position.js';
import { matches, type FeedBatch, type ShadowFeed, type ShadowFilter } from '../../../src/store/shadow-feed.js';
import type { Operation } from '../../../src/store/operation.js';
import type {
  Change,
  NamePage,
  Reading,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../../../src/store/shadow-store.js';
import type { Transacted } from '../../../src/store/transaction.js';
import type { Storage } from '../../../src/store/storage.js';
import { MemoryClusterKeys } from '../../harness/memory-cluster-keys.js';

const idOf = ({ tenant, thing, name }: ShadowKey): string => `${tenant}/${thing}/${name ?? ''}`;

interface Reader {
  readonly told: FeedBatch[];
  wake: () => void;
}

/**
 * No store at all: a change is computed, answered at once and told to the feed, all changes of one turn as one revision, as
 * a batch has one. What the doors and the document cost.
 */
export class EchoStore implements ShadowStore, ShadowFeed {
  readonly hasPresence = false;
  readonly health = { ok: true, reason: 'an echo' };
  readonly #records = new Map<string, ShadowRecord>();
  #position: Position = { cluster: 'echo', epoch: 0, revision: 1 };
  /** The changes of this turn; all have `#position`. */
  #turn: ShadowRecord[] = [];
  readonly #readers = new Set<Reader>();

  async get(key: ShadowKey): Promise<ShadowRecord | null> {
    return this.#records.get(idOf(key)) ?? null;
  }

  async read(key: ShadowKey): Promise<Reading> {
    return { record: await this.get(key), position: this.#position };
  }

  readAsOf(key: ShadowKey): Promise<Reading> {
    return this.read(key);
  }

  async update(key: ShadowKey, change: Change): Promise<ShadowRecord> {
    return this.#apply(key, change);
  }

  submit(operation: Operation): void {
    let record: ShadowRecord;
    try {
      record = this.#apply(operation.key, (current) => operation.change(current));
    } catch (error) {
      return operation.failed(error);
    }
    operation.committed(record);
  }

  transact(): Promise<Transacted> {
    throw new Error('nothing measures transactions here');
  }

  async listNames(): Promise<NamePage> {
    return { names: [], revision: this.#position.revision };
  }

  async listThings(): Promise<ThingPage> {
    return { things: [], revision: this.#position.revision };
  }

  async getBefore(): Promise<ShadowRecord | null> {
    return null;
  }

  async head(): Promise<Position> {
    this.#tell();
    return this.#position;
  }

  async base(filter: ShadowFilter): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    this.#tell();
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
        yield* reader.told.splice(0);
        if (reader.told.length === 0) await new Promise<void>((resolve) => (reader.wake = resolve));
      }
    } finally {
      this.#readers.delete(reader);
    }
  }

  async close(): Promise<void> {}

  #apply(key: ShadowKey, change: Change): ShadowRecord {
    const id = idOf(key);
    const last = this.#records.get(id);
    const { state, change: made } = change(last?.state ?? null);
    // A revision has one change of a shadow.
    if (last?.position === this.#position) this.#tell();
    if (this.#turn.length === 0) {
      this.#position = { ...this.#position, revision: this.#position.revision + 1 };
      setImmediate(() => this.#tell());
    }
    const record: ShadowRecord = { key, state, change: made, position: this.#position };
    this.#records.set(id, record);
    this.#turn.push(record);
    return record;
  }

  #tell(): void {
    if (this.#turn.length === 0) return;
    const batch: FeedBatch = { position: this.#position, records: this.#turn };
    this.#turn = [];
    for (const reader of this.#readers) {
      reader.told.push(batch);
      reader.wake();
    }
  }
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
