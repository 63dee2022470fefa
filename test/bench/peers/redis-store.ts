import type { Redis } from 'ioredis';
import { SYSTEM_CLOCK, type Clock } from '../../../src/resilience/clock.js';
import type { Config } from '../../../src/config/config.js';
import { isTombstone } from '../../../src/document/shadow-document.js';
import { StoredDocument } from '../../../src/document/stored-document.js';
import { ServiceError } from '../../../src/errors/service-error.js';
import { DeadlineSweep } from '../../../src/resilience/deadline-sweep.js';
import { decodeRecord, recordText, withWrite, type EtcdRecord } from '../../../src/store/etcd/codec.js';
import { Lineage } from '../../../src/store/etcd/lineage.js';
import { RecordCache } from '../../../src/store/etcd/read/record-cache.js';
import { WriteIds } from '../../../src/store/etcd/write/write-ids.js';
import { decodeNamePage, decodeThingPage, encodeNamePage, encodeThingPage } from '../../../src/store/page-token.js';
import { sameHistory, type Position } from '../../../src/store/position.js';
import { ShadowQueue } from '../../../src/store/shadow-queue.js';
import { submitByUpdate, type Operation } from '../../../src/store/operation.js';
import type {
  Change,
  NamePage,
  Reading,
  RequestOptions,
  ShadowKey,
  ShadowRecord,
  ShadowStore,
  ThingPage,
} from '../../../src/store/shadow-store.js';
import type { Transacted } from '../../../src/store/transaction.js';
import { reasonOf } from '../../../src/telemetry/reason.js';
import type { Health } from '../../../src/telemetry/health.js';
import type { Storage } from '../../../src/store/storage.js';
import { MemoryClusterKeys } from '../../harness/memory-cluster-keys.js';
import { connectRedis, enterEpoch, position, shadowId, STREAM, type RedisPlace } from './redis-connection.js';
import { ReplicaWait, type WaitFor } from './redis-wait.js';
import { RedisFeed } from './redis-feed.js';
import { CHANGE_SCRIPT } from './redis-script.js';

/** Events that the stream keeps. */
const KEPT_EVENTS = 1_000_000;
const COUNTER = 'umbra:revision';
/** Redis says of itself that it writes nothing. */
const REFUSED = /^(NOREPLICAS|READONLY|MISCONF|LOADING|OOM)/;
/** Things of a page are listed with this many shadows at most. */
const MAX_LISTED = 100;

type Scripted = Redis & {
  changeBuffer(...args: (string | number | Buffer)[]): Promise<number | [Buffer, Buffer]>;
};

interface Basis {
  readonly record: EtcdRecord | null;
  readonly revision: number;
  readonly fresh: boolean;
}

export interface RedisStoreOptions {
  readonly clock?: Clock;
  /** A write is acknowledged when replicas have it, too; absent: when the primary has it. */
  readonly wait?: WaitFor;
}

/** The usual alternative: a durable Redis (appendfsync always), one script per change, its events in a stream. */
export class RedisShadowStore implements ShadowStore {
  readonly cache: RecordCache;
  readonly #redis: Scripted;
  /** WAIT holds its connection up, so reads have one of their own then. */
  readonly #reads: Redis;
  readonly #wait: ReplicaWait | null;
  /** Of the history that the present connection sees. */
  readonly #lineage = new Lineage();
  #entered: Promise<unknown>;
  #trouble: string | null = 'connecting';
  readonly #queue: ShadowQueue;
  readonly #ids = new WriteIds();
  #closed = false;

  constructor(
    place: RedisPlace,
    config: Pick<Config, 'maxQueuedPerShadow' | 'cacheEntries'>,
    { clock = SYSTEM_CLOCK, wait }: RedisStoreOptions = {},
  ) {
    this.cache = new RecordCache(config.cacheEntries, this.#lineage);
    this.#queue = new ShadowQueue(config.maxQueuedPerShadow, new DeadlineSweep(clock));
    this.#redis = connectRedis(place, wait?.ms) as Scripted;
    this.#redis.defineCommand('change', { numberOfKeys: 5, lua: CHANGE_SCRIPT });
    this.#wait = wait === undefined ? null : new ReplicaWait(this.#redis, wait);
    this.#reads = wait === undefined ? this.#redis : connectRedis(place);
    this.#entered = this.#enter();
    this.#redis.on('close', () => {
      this.#trouble = 'not connected';
      this.#entered = this.#enter();
    });
  }

  /** Whether a primary answers. */
  get health(): Health {
    return this.#trouble === null ? { ok: true, reason: 'a primary answers' } : { ok: false, reason: this.#trouble };
  }

  async get(key: ShadowKey, options: RequestOptions): Promise<ShadowRecord | null> {
    this.#check(options);
    const { record, revision } = await this.#read(shadowId(key));
    return record && { key, state: record.state, change: record.change, position: this.#at(revision) };
  }

  async read(key: ShadowKey, options: RequestOptions): Promise<Reading> {
    const head = this.#at(await this.#head());
    return { record: await this.get(key, options), position: head };
  }

  async readAsOf(key: ShadowKey, revision: number, options: RequestOptions): Promise<Reading> {
    if (revision >= (await this.#head())) return this.read(key, options);
    return { record: await this.getBefore(key, this.#at(revision + 1), options), position: this.#at(revision) };
  }

  update(key: ShadowKey, change: Change, options: RequestOptions): Promise<ShadowRecord> {
    const id = shadowId(key);
    return this.#queue.run(id, options.deadline, () => this.#write(key, id, change, options));
  }

  submit(operation: Operation): void {
    submitByUpdate(this, operation);
  }

  transact(): Promise<Transacted> {
    throw new Error('nothing measures transactions here');
  }

  async listNames(
    tenant: string,
    thing: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<NamePage> {
    const from = after === undefined ? '(' : `(${decodeNamePage(after)}`;
    this.#check(options);
    const key = namesKey(tenant, thing);
    const revision = await this.#head();
    // '(' alone leaves out the empty name, which is the classic shadow.
    const found = await this.#reads.zrangebylex(key, from, '+', 'LIMIT', 0, limit + 1);
    const names = found.slice(0, limit);
    return { names, revision, ...(found.length > limit && { next: encodeNamePage(names.at(-1) ?? '') }) };
  }

  async listThings(
    tenant: string,
    limit: number,
    after: string | undefined,
    options: RequestOptions,
  ): Promise<ThingPage> {
    const from = after === undefined ? '-' : `(${decodeThingPage(after, tenant).thing}`;
    this.#check(options);
    const revision = await this.#head();
    const found = await this.#reads.zrangebylex(thingsKey(tenant), from, '+', 'LIMIT', 0, limit + 1);
    const page = found.slice(0, limit);
    const things = await Promise.all(
      page.map(async (thing) => ({
        thing,
        shadows: (await this.#reads.zrange(namesKey(tenant, thing), 0, String(MAX_LISTED - 1))).map(
          (name) => name || null,
        ),
      })),
    );
    return { things, revision, ...(found.length > limit && { next: encodeThingPage(tenant, page.at(-1) ?? '') }) };
  }

  /** Each event names the one before it of the same shadow, so the way back is as long as what happened since. */
  async getBefore(key: ShadowKey, at: Position, options: RequestOptions): Promise<ShadowRecord | null> {
    this.#check(options);
    const head = await this.#head();
    if (!sameHistory(at, this.#at(0)) || at.revision > head) throw new ServiceError('cursorGone', 'another history');
    let { revision } = await this.#read(shadowId(key));
    while (revision > 0) {
      const id = `${revision}-0`;
      const [event] = await this.#reads.xrangeBuffer(STREAM, id, id);
      if (!event) throw new ServiceError('cursorGone', 'it was trimmed');
      const [, fields] = event as unknown as [Buffer, Buffer[]];
      if (revision < at.revision) {
        const { state, change } = decodeRecord(fields[5] as Buffer);
        return { key, state, change, position: this.#at(revision) };
      }
      revision = Number(fields[3]?.toString());
    }
    return null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#queue.close();
    this.#redis.disconnect();
    this.#reads.disconnect();
  }

  #at(revision: number): Position {
    return position(revision, this.#lineage.epoch);
  }

  /** Before the first write of each connection: its server may have another history than the last one. Never rejects. */
  async #enter(): Promise<void> {
    if (this.#closed) return;
    try {
      const epoch = await enterEpoch(this.#redis);
      if (epoch !== this.#lineage.epoch) this.#lineage.enter(epoch);
      this.#trouble = null;
    } catch (error) {
      this.#trouble = reasonOf(error);
    }
  }

  /** @throws ServiceError storageUnavailable */
  async #ready(): Promise<void> {
    await this.#entered;
    if (this.#trouble === null) return;
    await (this.#entered = this.#enter());
    if (this.#trouble !== null) throw new ServiceError('storageUnavailable');
  }

  async #head(): Promise<number> {
    return Number((await this.#reads.get(COUNTER)) ?? 0);
  }

  async #write(key: ShadowKey, id: string, change: Change, options: RequestOptions): Promise<ShadowRecord> {
    this.#check(options);
    const guess = this.cache.get(id);
    let basis: Basis = guess ? { ...guess, fresh: false } : await this.#read(id);
    for (;;) {
      let changed: ReturnType<Change>;
      try {
        const { state, change: made } = change(basis.record?.state ?? null);
        // With the text of each section, which the record and the messages share.
        changed = { state: isTombstone(state) ? state : StoredDocument.of(state), change: made };
      } catch (error) {
        if (basis.fresh || !(error instanceof ServiceError)) throw error;
        basis = await this.#read(id);
        continue;
      }
      const writes = withWrite(this.#ids.next(), basis.record?.writes ?? '');
      const text = recordText({ ...changed, writes });
      const value = Buffer.from(text);
      const record: EtcdRecord = { ...changed, writes, text, bytes: value.length };
      const answer = await this.#send(key, id, basis, record, value);
      if (typeof answer === 'number') {
        this.cache.offer(id, record, answer);
        return { key, ...changed, position: this.#at(answer) };
      }
      basis = answer;
    }
  }

  async #send(key: ShadowKey, id: string, basis: Basis, record: EtcdRecord, value: Buffer): Promise<number | Basis> {
    const lived = basis.record !== null && !isTombstone(basis.record.state);
    const lives = !isTombstone(record.state);
    const { tenant, thing, name } = key;
    if (this.#trouble !== null) await this.#ready();
    this.cache.expect(id, record);
    try {
      const answer = await this.#redis.changeBuffer(
        ...[`umbra:s:${id}`, STREAM, COUNTER, namesKey(tenant, thing), thingsKey(tenant)],
        ...[basis.revision, value, id, lived === lives ? '' : lives ? '1' : '0', name ?? '', thing, KEPT_EVENTS],
      );
      if (!Array.isArray(answer)) {
        await this.#wait?.replicated();
        return Number(answer);
      }
      return this.#basis(id, Number(answer[0].toString()), answer[1]);
    } catch (error) {
      if (this.#closed) throw new ServiceError('outcomeUnknown');
      if (REFUSED.test(String((error as Error).message))) throw new ServiceError('storageUnavailable');
      // The answer was lost, or replicas did not confirm: it may have been applied.
      throw new ServiceError('outcomeUnknown');
    } finally {
      this.cache.unexpect(id);
    }
  }

  async #read(id: string): Promise<Basis> {
    try {
      const [revision, value] = await this.#reads.hmgetBuffer(`umbra:s:${id}`, 'r', 'v');
      return this.#basis(id, Number(revision?.toString() ?? 0), value ?? Buffer.alloc(0));
    } catch {
      throw new ServiceError(this.#closed ? 'draining' : 'storageUnavailable');
    }
  }

  #basis(id: string, revision: number, value: Buffer): Basis {
    if (revision === 0) return { record: null, revision, fresh: true };
    const record = decodeRecord(value);
    this.cache.offer(id, record, revision);
    return { record, revision, fresh: true };
  }

  #check({ deadline }: RequestOptions): void {
    if (this.#closed) throw new ServiceError('draining');
    if (deadline <= performance.now()) throw new ServiceError('storageUnavailable');
  }
}

const namesKey = (tenant: string, thing: string): string => `umbra:n:${tenant}/${thing}`;
const thingsKey = (tenant: string): string => `umbra:t:${tenant}`;
export function openRedisStorage({ config }: { readonly config: Config }, place: RedisPlace): Storage {
  const store = new RedisShadowStore(place, config);
  const feed = new RedisFeed(place, store.cache);
  return {
    store,
    feed,
    clusterKeys: new MemoryClusterKeys(),
    health: () => store.health,
    async close() {
      await store.close();
    },
  };
}
