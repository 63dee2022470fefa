import { isTombstone } from '../../../src/document/shadow-document.js';
import type { RecordCache } from '../../../src/store/etcd/read/record-cache.js';
import type { Position } from '../../../src/store/position.js';
import { matches, type FeedBatch, type ShadowFeed, type ShadowFilter } from '../../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../../../src/store/shadow-store.js';
import { connectRedis, position, STREAM } from './redis-connection.js';

/** Events of one answer. */
const PAGE = 1000;
/** Milliseconds after which a read without events asks again. */
const BLOCK_MS = 1000;

type Entry = [id: Buffer, fields: Buffer[]];

/** Follows the stream; like Umbra's own feed it does not parse what this node has just written. */
export class RedisFeed implements ShadowFeed {
  readonly hasPresence = false;
  readonly health = { ok: true, reason: 'follows the stream' };

  constructor(
    private readonly port: number,
    private readonly cache: RecordCache,
  ) {}

  async head(): Promise<Position> {
    const redis = connectRedis(this.port);
    try {
      return position(Number((await redis.get('umbra:revision')) ?? 0));
    } finally {
      redis.disconnect();
    }
  }

  async base(filter: ShadowFilter): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    const head = await this.head();
    return { position: head, records: this.#all(filter, head) };
  }

  async *after(from: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const redis = connectRedis(this.port);
    signal.addEventListener('abort', () => redis.disconnect(), { once: true });
    let cursor = from.revision;
    while (!signal.aborted) {
      const answer = (await redis
        .xreadBuffer('COUNT', PAGE, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, `${cursor}-0`)
        .catch(() => null)) as [Buffer, Entry[]][] | null;
      for (const entry of answer?.[0]?.[1] ?? []) {
        const record = this.#record(entry);
        cursor = record.position.revision;
        yield { position: record.position, records: [record] };
      }
    }
  }

  /** Only for few shadows: it goes through the events. */
  async *#all(filter: ShadowFilter, head: Position): AsyncGenerator<ShadowRecord> {
    const redis = connectRedis(this.port);
    try {
      const entries = (await redis.xrangeBuffer(STREAM, '-', `${head.revision}-0`)) as unknown as Entry[];
      const last = new Map(entries.map((entry) => [entry[1][1]?.toString(), entry]));
      for (const entry of last.values()) {
        const record = this.#record(entry);
        if (!isTombstone(record.state) && matches(filter, record.key)) yield record;
      }
    } finally {
      redis.disconnect();
    }
  }

  #record([id, fields]: Entry): ShadowRecord {
    const revision = Number.parseInt(id.toString(), 10);
    const shadow = fields[1]?.toString() ?? '';
    const { state, change } = this.cache.fromFeed(shadow, fields[5] ?? Buffer.alloc(0), revision);
    return { key: keyOf(shadow), state, change, position: position(revision) };
  }
}

function keyOf(id: string): ShadowKey {
  const [tenant = '', thing = '', name = ''] = id.split('/');
  return { tenant, thing, name: name === '' ? null : name };
}
