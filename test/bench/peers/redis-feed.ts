import type { Redis } from 'ioredis';
import type { RecordCache } from '../../../src/store/etcd/read/record-cache.js';
import { sameHistory, type Position } from '../../../src/store/position.js';
import {
  FeedGap,
  type BaseProgress,
  type FeedBatch,
  type ShadowFeed,
  type ShadowFilter,
} from '../../../src/store/shadow-feed.js';
import type { ShadowRecord } from '../../../src/store/shadow-store.js';
import { reasonOf } from '../../../src/telemetry/reason.js';
import type { Health } from '../../../src/telemetry/health.js';
import { keyOf, recordsAt } from './redis-base.js';
import { connectRedis, enterEpoch, position, shadowId, STREAM, type RedisPlace } from './redis-connection.js';
import { after, isTrimmedAfter, PAGE, wholeRevisions, type Entry } from './redis-entries.js';

/** Milliseconds after which a read without events asks again. */
const BLOCK_MS = 1000;
/** Reads without events after which an idle reader learns how far the revisions have come: about a minute. */
const BOOKMARK_IDLE = 60;
/** Milliseconds between two attempts when nothing answers. */
const RETRY_MS = 50;

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

  async base(
    filter: ShadowFilter,
    _signal: AbortSignal,
    resume?: BaseProgress,
  ): Promise<{ position: Position; records: AsyncIterable<ShadowRecord> }> {
    const at = resume?.position ?? (await this.head());
    return { position: at, records: this.#records(filter, at, resume ? shadowId(resume.after) : null) };
  }

  async *#records(filter: ShadowFilter, at: Position, afterId: string | null): AsyncGenerator<ShadowRecord> {
    const redis = connectRedis(this.place);
    try {
      yield* recordsAt(redis, filter, at, afterId);
    } finally {
      redis.disconnect();
    }
  }

  async *after(from: Position, signal: AbortSignal): AsyncGenerator<FeedBatch> {
    const redis = connectRedis(this.place, BLOCK_MS);
    signal.addEventListener('abort', () => redis.disconnect(), { once: true });
    // Another server has another history, perhaps.
    let isChecked = false;
    redis.on('close', () => (isChecked = false));
    try {
      let cursor = from.revision;
      // A reader that is behind this learns that it has caught up, also where nothing was changed.
      let head = cursor;
      for (let idle = 0; !signal.aborted;) {
        if (!isChecked || idle >= BOOKMARK_IDLE) {
          isChecked = true;
          idle = 0;
          const found = await this.#answered(() => this.#checked(redis, from, cursor));
          if (found === null) isChecked = false;
          else head = found;
        }
        const answer = await this.#answered(() => this.#read(redis, cursor, isChecked && cursor < head));
        // The connection may have ended as this was read, and another server may have answered.
        if (!isChecked || answer === null) continue;
        idle = answer.length === 0 ? idle + 1 : 0;
        if (answer.length === 0 && cursor < head) {
          cursor = head;
          yield { position: position(head, from.epoch), records: [] };
        }
        for (const [revision, entries] of wholeRevisions(answer)) {
          if (revision > cursor + 1 && (await this.#answered(() => isTrimmedAfter(redis, cursor))) !== false)
            throw new FeedGap('compacted');
          cursor = revision;
          yield this.#batch(entries, position(revision, from.epoch));
        }
      }
    } finally {
      redis.disconnect();
    }
  }

  /** The head. @throws FeedGap when it is of another history, or the changes since the cursor are gone */
  async #checked(redis: Redis, from: Position, cursor: number): Promise<number> {
    const head = await this.#headOf(redis);
    if (!sameHistory(head, from) || head.revision < cursor) throw new FeedGap('epoch-changed');
    if (head.revision > cursor && (await isTrimmedAfter(redis, cursor))) throw new FeedGap('compacted');
    return head.revision;
  }

  /** @param isBehind something is there, or will never be */
  async #read(redis: Redis, cursor: number, isBehind: boolean): Promise<Entry[]> {
    const stream = ['STREAMS', STREAM, after(cursor)] as const;
    const answer = isBehind
      ? await redis.xreadBuffer('COUNT', PAGE, ...stream)
      : await redis.xreadBuffer('COUNT', PAGE, 'BLOCK', BLOCK_MS, ...stream);
    return (answer as unknown as [Buffer, Entry[]][] | null)?.[0]?.[1] ?? [];
  }

  /** Null when nothing answers; then it has waited a little. */
  async #answered<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await ask();
      this.#trouble = null;
      return answer;
    } catch (error) {
      if (error instanceof FeedGap) throw error;
      this.#trouble = reasonOf(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      return null;
    }
  }

  async #headOf(redis: Redis): Promise<Position> {
    const epoch = await enterEpoch(redis);
    return position(Number((await redis.get('umbra:revision')) ?? 0), epoch);
  }

  /** What is no record is left out. */
  #batch(entries: readonly Entry[], at: Position): FeedBatch {
    const records = entries.flatMap(([, fields]): ShadowRecord[] => {
      const shadow = fields[1]?.toString() ?? '';
      try {
        const { state, change } = this.cache.fromFeed(shadow, fields[5] ?? Buffer.alloc(0), at.revision);
        return [{ key: keyOf(shadow), state, change, position: at }];
      } catch {
        return [];
      }
    });
    return { position: at, records };
  }
}
