import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { until } from '../harness/until.js';
import type { MatrixFault } from './faults.js';
import { STREAM } from './hybrid.js';
import { SHADOWS } from './traffic.js';

/** Milliseconds until a Redis that was lost is there again, empty. */
const LOST_MS = 2_000;
/** Entries of one answer. */
const PAGE = 1_000;
/** Milliseconds for a reader to hear of every shadow again. */
const HEARS_MS = 5_000;

/** It comes back empty: what it held is written anew as it changes. */
export const REDIS_LOST: MatrixFault['apply'] = async ({ servers: { beside } }) => {
  if (!beside) throw new Error('no Redis beside etcd');
  await beside.kill9();
  await beside.wipe();
  await pause(LOST_MS);
  await beside.start();
  return async () => undefined;
};

/** Nothing comes to the Redis any more, until it is healed. */
export const ADAPTER_STOPPED: MatrixFault['apply'] = async ({ node: { adapter } }) => {
  if (!adapter) throw new Error('no adapter');
  await adapter.stop();
  return async () => adapter.start();
};

/** A reader of the stream is away, and all that it has not read is trimmed before it is back. */
export const STREAM_TRIMMED: MatrixFault['apply'] = async ({ servers: { beside } }) => {
  if (!beside) throw new Error('no Redis beside etcd');
  const reader = new StreamReader(beside.port);
  await reader.readAll();
  return async () => {
    try {
      await reader.trim();
      const { missed, noticed } = await reader.goOn();
      return `a reader that was away missed ${missed.toLocaleString('en')} changes, and sees it by the versions of ${noticed} of ${SHADOWS} shadows: a version follows the one before it`;
    } finally {
      reader.close();
    }
  };
};

/** Reads the stream as a consumer does that keeps its place by itself. */
class StreamReader {
  readonly #redis: Redis;
  readonly #versions = new Map<string, number>();
  #last = '0';
  #missed = 0;
  readonly #noticed = new Set<string>();

  constructor(port: number) {
    this.#redis = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 1 });
    this.#redis.on('error', () => undefined);
  }

  /** Up to the present end. */
  async readAll(): Promise<void> {
    while ((await this.#read()) === PAGE);
    this.#missed = 0;
    this.#noticed.clear();
  }

  async trim(): Promise<void> {
    await this.#redis.xtrim(STREAM, 'MAXLEN', 0);
  }

  async goOn(): Promise<{ missed: number; noticed: number }> {
    const heard = new Set<string>();
    await until(
      'every shadow has changed',
      async () => {
        await this.#read(heard);
        return heard.size >= SHADOWS;
      },
      HEARS_MS,
    ).catch(() => undefined);
    return { missed: this.#missed, noticed: this.#noticed.size };
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #read(heard = new Set<string>()): Promise<number> {
    const answer = await this.#redis.xread('COUNT', PAGE, 'STREAMS', STREAM, this.#last);
    const entries = answer?.[0]?.[1] ?? [];
    for (const [id, fields] of entries) {
      this.#last = id;
      const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
      this.#take(field('thing'), Number(field('version')));
      heard.add(field('thing'));
    }
    return entries.length;
  }

  #take(shadow: string, version: number): void {
    const known = this.#versions.get(shadow);
    // An entry may come twice.
    if (known !== undefined && version <= known) return;
    this.#versions.set(shadow, version);
    const between = version - (known ?? 0) - 1;
    if (between === 0) return;
    this.#missed += between;
    this.#noticed.add(shadow);
  }
}
