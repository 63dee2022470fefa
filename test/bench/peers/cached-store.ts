import { setTimeout as pause } from 'node:timers/promises';
import { isTombstone } from '../../../src/document/shadow-document.js';
import type { ShadowFeed } from '../../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../../src/store/shadow-store.js';
import { shadowId } from '../../../src/sinks/event-id.js';

/** Milliseconds before the feed is asked again. */
const AGAIN_MS = 100;

/** Reads from the memory of a node, which follows the feed: no round trip, and as old as the feed is late. */
export class CachedReader {
  readonly #records = new Map<string, ShadowRecord>();
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #isLoaded = false;

  /** @param onRecord is told of each record before it can be read */
  constructor(
    private readonly feed: ShadowFeed,
    private readonly tenant: string,
    private readonly onRecord: (record: ShadowRecord) => void = () => undefined,
  ) {
    this.#done = this.#follow();
  }

  /** Whether it has had everything that there was once. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Null: there is none, or not yet. No errors. */
  get(key: ShadowKey): ShadowRecord | null {
    const record = this.#records.get(shadowId({ key }));
    return record === undefined || isTombstone(record.state) ? null : record;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        const { position, records } = await this.feed.base({ tenant: this.tenant }, signal);
        // What the new history does not have is gone.
        this.#records.clear();
        for await (const record of records) this.#take(record);
        this.#isLoaded = true;
        for await (const batch of this.feed.after(position, signal)) for (const each of batch.records) this.#take(each);
      } catch {
        // A gap, or nothing answers: from the beginning.
        await pause(AGAIN_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #take(record: ShadowRecord): void {
    if (record.key.tenant !== this.tenant) return;
    this.onRecord(record);
    this.#records.set(shadowId(record), record);
  }
}
