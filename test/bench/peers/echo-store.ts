import { isTombstone } from '../../../src/document/shadow-document.js';
import type { Position } from '../../../src/store/position.js';
import { matches, type FeedBatch, type ShadowFeed, type ShadowFilter } from '../../../src/store/shadow-feed.js';
import type {
  Change,
  NamePage,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../../../src/store/shadow-store.js';
import type { Storage } from '../../../src/store/storage.js';

const idOf = ({ tenant, thing, name }: ShadowKey): string => `${tenant}/${thing}/${name ?? ''}`;

/** No store at all: a change is computed, answered at once and told to the feed. What the doors and the document cost. */
export class EchoStore implements ShadowStore, ShadowFeed {
  readonly health = { ok: true, reason: 'an echo' };
  readonly #records = new Map<string, ShadowRecord>();
  #position: Position = { cluster: 'echo', epoch: 0, revision: 1 };
  #told: ShadowRecord[] = [];
  #wake: (() => void) | null = null;

  async get(key: ShadowKey): Promise<ShadowRecord | null> {
    return this.#records.get(idOf(key)) ?? null;
  }

  async update(key: ShadowKey, change: Change): Promise<ShadowRecord> {
    const id = idOf(key);
    const { state, change: made } = change(this.#records.get(id)?.state ?? null);
    this.#position = { ...this.#position, revision: this.#position.revision + 1 };
    const record: ShadowRecord = { key, state, change: made, position: this.#position };
    this.#records.set(id, record);
    this.#told.push(record);
    this.#wake?.();
    return record;
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

  /** One reader, the hub. */
  async *after(_position: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    signal.addEventListener('abort', () => this.#wake?.(), { once: true });
    while (!signal.aborted) {
      const records = this.#told;
      this.#told = [];
      for (const record of records) yield { position: record.position, records: [record] };
      if (this.#told.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }

  async close(): Promise<void> {}
}

export function openEchoStorage(): Storage {
  const echo = new EchoStore();
  return { store: echo, feed: echo, health: () => echo.health, close: () => echo.close() };
}
