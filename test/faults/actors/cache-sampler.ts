import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { TENANT, type SinkHistory } from '../model/sink-history.js';
import { PROMISES } from '../validate/promises.js';
import { labRedis } from './sink-readers.js';

/** Milliseconds between two looks at all documents. */
const LOOK_MS = 50;

/** One document of the read cache. */
export interface Cached {
  readonly revision: number;
  readonly version: number;
  /** Null: the shadow is deleted. */
  readonly document: string | null;
}

/** Reads the whole read cache again and again, and notes whatever is older than what was read before. */
export class CacheSampler {
  readonly #redis: Redis;
  readonly #last = new Map<string, Cached>();
  #running = true;
  #done: Promise<void> = Promise.resolve();

  constructor(
    private readonly history: SinkHistory,
    port: number,
    private readonly prefix: string,
    private readonly shadows: readonly string[],
  ) {
    this.#redis = labRedis(port);
  }

  start(): void {
    this.#done = this.#run();
  }

  /** @throws Error while Redis does not answer */
  async read(): Promise<ReadonlyMap<string, Cached>> {
    const pipeline = this.#redis.pipeline();
    for (const shadow of this.shadows) {
      const [thing = '', name = ''] = shadow.split('/');
      pipeline.hmget(`${this.prefix}${TENANT}/${thing}/${name}`, 'revision', 'version', 'document');
    }
    const answers = (await pipeline.exec()) ?? [];
    const found = new Map<string, Cached>();
    for (const [i, [error, fields]] of answers.entries()) {
      if (error) throw error;
      const [revision, version, document] = fields as (string | null)[];
      if (revision == null) continue;
      const cached = { revision: Number(revision), version: Number(version), document: document ?? null };
      found.set(this.shadows[i] as string, cached);
    }
    return found;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#done;
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #run(): Promise<void> {
    for (; this.#running; await pause(LOOK_MS)) {
      const found = await this.read().catch(() => null);
      if (found) for (const shadow of this.shadows) this.#compare(shadow, found.get(shadow));
    }
  }

  #compare(shadow: string, now: Cached | undefined): void {
    const before = this.#last.get(shadow);
    const wrong = (text: string): void => this.history.remark(PROMISES.cache, `${shadow}: ${text}`);
    if (now === undefined) {
      if (before) wrong(`revision ${before.revision} was there, and is gone`);
      return;
    }
    this.history.cacheReads++;
    if (before && now.revision < before.revision) wrong(`revision ${now.revision} after ${before.revision}`);
    const isChanged = now.revision !== before?.revision;
    if (!isChanged && now.document !== before?.document) wrong(`two documents of revision ${now.revision}`);
    if (isChanged && now.document !== null && versionOf(now.document) !== now.version)
      wrong(`version ${now.version} with the document ${now.document.slice(0, 200)}`);
    this.#last.set(shadow, now);
  }
}

const versionOf = (document: string): unknown => (JSON.parse(document) as { version?: unknown }).version;
