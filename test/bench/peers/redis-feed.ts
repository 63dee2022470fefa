import type { Redis } from 'ioredis';
import { isTombstone } from '../../../src/document/shadow-document.js';
import type { RecordCache } from '../../../src/store/etcd/read/record-cache.js';
import { sameHistory, type Position } from '../../../src/store/position.js';
import {
  FeedGap,
  matches,
  type FeedBatch,
  type ShadowFeed,
  type ShadowFilter,
} from '../../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../../src/store/shadow-store.js';
import { reasonOf } from '../../../src/telemetry/reason.js';
import type { Health } from '../../../src/telemetry/health.js';
import { connectRedis, enterEpoch, position, STREAM, type RedisPlace } from './redis-connection.js';

/** Events of one answer. */
const PAGE = 1000;
/** Milliseconds after which a read without events asks again. */
const BLOCK_MS = 1000;
/** Milliseconds between two attempts when nothing answers. */
const RETRY_MS = 50;

type Entry = [id: Buffer, fields: Buffer[]];

/** Follows the stream; like Umbra's own feed it does not parse what this node has just written. */
export class RedisFeed implements ShadowFeed {
  readonly hasPresence = false;
  #trouble: string | null = null;

  constructor(
    private readonly place: RedisPlace,
    private readonly cache: RecordCache,
  ) {}

  get health(): Health {
    return { ok: this.#trouble === null, reason: this.#trouble ?? 'follows the stream' };
  }

  async head(): Promise<Position> {
    const redis = connectRedis(this.place);
    try {
      return await this.#headOf(redis);
    } finally {
      redis.disconnect();
    }
  }

  async base(filter: ShadowFilter): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    const head = await this.head();
    return { position: head, records: this.#all(filter, head) };
  }

  async *after(from: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const redis = connectRedis(this.place, BLOCK_MS);
    signal.addEventListener('abort', () => redis.disconnect(), { once: true });
    // Another server has another history, perhaps.
    let isChecked = false;
    redis.on('close', () => (isChecked = false));
    try {
      let cursor = from.revision;
      while (!signal.aborted) {
        if (!isChecked) {
          isChecked = true;
          const head = await this.#answered(() => this.#headOf(redis));
          if (head === null) isChecked = false;
          else if (!sameHistory(head, from) || head.revision < cursor) throw new FeedGap('epoch-changed');
        }
        const answer = await this.#answered(
          () =>
            redis.xreadBuffer('COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, `${cursor}-0`) as Promise<
              [Buffer, Entry[]][] | null
            >,
        );
        // The connection may have ended as this was read, and another server may have answered.
        if (!isChecked) continue;
        for (const entry of answer?.[0]?.[1] ?? []) {
          const record = this.#record(entry, from.epoch);
          cursor = record.position.revision;
          yield { position: record.position, records: [record] };
        }
      }
    } finally {
      redis.disconnect();
    }
  }

  /** Null when nothing answers; then it has waited a little. */
  async #answered<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await ask();
      this.#trouble = null;
      return answer;
    } catch (error) {
      this.#trouble = reasonOf(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      return null;
    }
  }

  async #headOf(redis: Redis): Promise<Position> {
    const epoch = await enterEpoch(redis);
    return position(Number((await redis.get('umbra:revision')) ?? 0), epoch);
  }

  /** Only for few shadows: it goes through the events. */
  async *#all(filter: ShadowFilter, head: Position): AsyncGenerator<ShadowRecord> {
    const redis = connectRedis(this.place);
    try {
      const entries = (await redis.xrangeBuffer(STREAM, '-', `${head.revision}-0`)) as unknown as Entry[];
      const last = new Map(entries.map((entry) => [entry[1][1]?.toString(), entry]));
      for (const entry of last.values()) {
        const record = this.#record(entry, head.epoch);
        if (!isTombstone(record.state) && matches(filter, record.key)) yield record;
      }
    } finally {
      redis.disconnect();
    }
  }

  #record([id, fields]: Entry, epoch: number): ShadowRecord {
    const revision = Number.parseInt(id.toString(), 10);
    const shadow = fields[1]?.toString() ?? '';
    const { state, change } = this.cache.fromFeed(shadow, fields[5] ?? Buffer.alloc(0), revision);
    return { key: keyOf(shadow), state, change, position: position(revision, epoch) };
  }
}

function keyOf(id: string): ShadowKey {
  const [tenant = '', thing = '', name = ''] = id.split('/');
  return { tenant, thing, name: name === '' ? null : name };
}
