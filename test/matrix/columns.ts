import { Redis } from 'ioredis';
import { loadConfig } from '../../src/config/load-config.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { shadowId } from '../../src/sinks/event-id.js';
import { redisKind } from '../../src/sinks/redis-streams.sink.js';
import type { OpenSink } from '../../src/sinks/sink-kind.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import type { ShadowFeed } from '../../src/store/shadow-feed.js';
import type { ShadowKey, ShadowRecord, ShadowStore } from '../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { CachedReader } from '../bench/peers/cached-store.js';
import type { WaitFor } from '../bench/peers/redis-wait.js';
import { RedisFeed } from '../bench/peers/redis-feed.js';
import { RedisShadowStore } from '../bench/peers/redis-store.js';
import { until } from '../harness/until.js';
import type { Section, Told } from '../faults/model/history.js';
import type { ColumnFacts } from './matrix-run.js';
import type { Needs, Servers } from './servers.js';

export const TENANT = 'lab';

/** A node that reads and writes as its column does. */
export interface OpenColumn {
  readonly store: ShadowStore;
  readonly feed: ShadowFeed;
  /** As the column reads. @throws Error when nothing answers */
  read(key: ShadowKey, deadline: number): Promise<Told | null>;
  close(): Promise<void>;
}

export interface Column {
  readonly facts: ColumnFacts;
  readonly needs: Needs;
  /** Reads may be older than what is stored. */
  readonly cached: boolean;
  open(servers: Servers): Promise<OpenColumn>;
}

const ETCD: Needs = { storage: 'etcd', beside: false };
const REDIS: Needs = { storage: 'redis', beside: false };
/** Milliseconds for replicas to confirm. */
const WAIT: WaitFor = { replicas: 1, ms: 1_000 };
const QUEUED = 1_000;

const one = (name: string, text: string, processes: number, score: number, reason: string): ColumnFacts => ({
  ...{ name, title: name, text, processes, operations: { score, reason } },
});

export const COLUMNS: readonly Column[] = [
  {
    facts: one(
      ...(['etcd', 'etcd, three members; reads are linearizable', 3, 0.8] as const),
      'one kind of process, which elects by itself; space and compaction are to be watched',
    ),
    ...{ needs: ETCD, cached: false, open: openEtcd },
  },
  {
    facts: one(
      ...(['etcd-cached', 'the same; reads come from the memory of the node', 3, 0.8] as const),
      'as etcd; the memory of the nodes grows with the shadows',
    ),
    ...{ needs: ETCD, cached: true, open: openCached },
  },
  {
    facts: one(
      ...([
        'redis-async',
        'Redis: primary, two replicas, three sentinels; a write is on the disk of the primary',
      ] as const),
      ...([6, 0.5] as const),
      'two kinds of processes; who has lost what after a failover is not told by them',
    ),
    ...{ needs: REDIS, cached: false, open: (servers: Servers) => openRedis(servers) },
  },
  {
    facts: one(
      ...(['redis-min-replicas', 'the same; the primary writes nothing while no replica answers', 6, 0.45] as const),
      'as redis-async, and one setting more that stops writes when replicas are away',
    ),
    ...{ needs: { ...REDIS, minReplicas: 1 }, cached: false, open: (servers: Servers) => openRedis(servers) },
  },
  {
    facts: one(
      ...(['redis-wait', 'the same; each write waits until a replica has it (WAIT 1)', 6, 0.45] as const),
      'as redis-async, and doubtful writes whenever a replica is late',
    ),
    ...{ needs: REDIS, cached: false, open: (servers: Servers) => openRedis(servers, WAIT) },
  },
  {
    facts: one(
      ...(['hybrid', 'etcd, and beside it a Redis that the sink of the service fills; reads come from Redis'] as const),
      ...([4, 0.6] as const),
      'etcd to be run with care, and a Redis that may be lost and filled again',
    ),
    ...{ needs: { ...ETCD, beside: true }, cached: true, open: openHybrid },
  },
];

const toldOf = (record: ShadowRecord | null): Told | null => {
  if (record === null || isTombstone(record.state)) return null;
  const { version, desired = {}, reported = {} } = record.state;
  return { version, desired: desired as Section, reported: reported as Section };
};

function openStorage(servers: Servers) {
  const config = loadConfig({
    UMBRA_ETCD_ENDPOINTS: servers.etcd.map(({ endpoint }) => endpoint).join(','),
    UMBRA_ETCD_PREFIX: '/matrix/',
    UMBRA_MAX_QUEUED_PER_SHADOW: String(QUEUED),
  });
  return openEtcdStorage({ config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
}

async function openEtcd(servers: Servers): Promise<OpenColumn> {
  const { store, feed, close } = bound(openStorage(servers));
  return { store, feed, close, read: async (key, deadline) => toldOf(await store.get(key, { deadline })) };
}

async function openCached(servers: Servers): Promise<OpenColumn> {
  const { store, feed, close } = bound(openStorage(servers));
  const reader = new CachedReader(feed, TENANT);
  await loaded(reader);
  return {
    ...{ store, feed },
    read: async (key) => toldOf(reader.get(key)),
    close: () => reader.close().then(close),
  };
}

async function openRedis({ redis }: Servers, wait?: WaitFor): Promise<OpenColumn> {
  if (!redis) throw new Error('no Redis');
  // Without sentinels the first server is the primary.
  const { sentinels, name, servers } = redis;
  const place = sentinels.length > 0 ? { sentinels, name } : (servers[0]?.port ?? 0);
  const config = { maxQueuedPerShadow: QUEUED, cacheEntries: 100_000 };
  const store = new RedisShadowStore(place, config, wait === undefined ? {} : { wait });
  return {
    ...{ store, feed: new RedisFeed(place, store.cache), close: () => store.close() },
    read: async (key, deadline) => toldOf(await store.get(key, { deadline })),
  };
}

/** Of the keys of the documents in Redis. */
const PREFIX = 'matrix:';

async function openHybrid(servers: Servers): Promise<OpenColumn> {
  const port = servers.beside?.port;
  if (port === undefined) throw new Error('no Redis beside etcd');
  const { store, feed, close } = bound(openStorage(servers));
  const sink = openSink(port);
  const stop = new AbortController();
  const filler = new CachedReader(feed, TENANT, (record) => void sink.deliver(record, stop.signal));
  const redis = new Redis({ port, host: '127.0.0.1', enableAutoPipelining: true, maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  await loaded(filler);
  return {
    ...{ store, feed },
    read: async (key) => documentOf(await redis.hget(PREFIX + shadowId({ key }), 'document')),
    async close() {
      stop.abort();
      redis.disconnect();
      await filler.close();
      await sink.close();
      await close();
    },
  };
}

function openSink(port: number): OpenSink {
  const settings = {
    ...{ server: `redis://127.0.0.1:${port}`, database: 0, user: null, stream: 'matrix', maxLength: 1_000_000 },
    ...{ cachePrefix: PREFIX, cacheSeconds: 0, tombstoneSeconds: 86_400 },
  };
  const parts = { tenant: TENANT, sink: 'matrix', id: 'matrix', clock: SYSTEM_CLOCK, logger: SILENT_LOGGER };
  return redisKind([`127.0.0.1:${port}`]).open(
    { settings, secrets: {} },
    { ...parts, keys: new MemoryClusterKeys(), isOwner: () => true, pause: () => undefined },
  );
}

function documentOf(text: string | null): Told | null {
  if (text === null) return null;
  const { state, version } = JSON.parse(text) as { state: { desired?: Section; reported?: Section }; version: number };
  return { version, desired: state.desired ?? {}, reported: state.reported ?? {} };
}

/** Milliseconds that a node waits for its cache before it serves; then it serves without. */
const LOADING_MS = 5_000;

const loaded = (reader: CachedReader): Promise<unknown> =>
  until('the cache is loaded', () => reader.isLoaded, LOADING_MS).catch(() => undefined);

const bound = (storage: ReturnType<typeof openStorage>) => ({
  ...{ store: storage.store, feed: storage.feed, close: () => storage.close() },
});
