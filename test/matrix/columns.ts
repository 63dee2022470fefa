import { loadConfig } from '../../src/config/load-config.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { Metrics } from '../../src/telemetry/metrics.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { CachedReader } from '../bench/peers/cached-store.js';
import type { WaitFor } from '../bench/peers/redis-wait.js';
import { RedisFeed } from '../bench/peers/redis-feed.js';
import { RedisShadowStore } from '../bench/peers/redis-store.js';
import { until } from '../harness/until.js';
import type { Section, Told } from '../faults/model/history.js';
import { openHybrid } from './hybrid.js';
import type { ColumnFacts } from './matrix-run.js';
import { CALL_TIMEOUT_MS, type Needs, type Servers } from './servers.js';
import { LOADING_MS, TENANT, withAge, type Answer, type OpenColumn } from './open-column.js';

export interface Column {
  readonly facts: ColumnFacts;
  readonly needs: Needs;
  /** @param node number of it: each asks another server first. */
  open(servers: Servers, node?: number): Promise<OpenColumn>;
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
    ...{ needs: ETCD, open: (servers: Servers) => openEtcd(servers) },
  },
  {
    facts: one(
      ...(['etcd-cached', 'the same; reads come from the memory of the node', 3, 0.8] as const),
      'as etcd; the memory of the nodes grows with the shadows',
    ),
    ...{ needs: ETCD, open: openCached },
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
    ...{ needs: REDIS, open: (servers: Servers, node = 0) => openRedis(servers, node) },
  },
  {
    facts: one(
      ...(['redis-min-replicas', 'the same; the primary writes nothing while no replica answers', 6, 0.45] as const),
      'as redis-async, and one setting more that stops writes when replicas are away',
    ),
    ...{ needs: { ...REDIS, minReplicas: 1, replica: true } },
    open: (servers: Servers, node = 0) => openRedis(servers, node),
  },
  {
    facts: one(
      ...(['redis-wait', 'the same; each write waits until a replica has it (WAIT 1)', 6, 0.45] as const),
      'as redis-async, and doubtful writes whenever a replica is late',
    ),
    ...{ needs: { ...REDIS, replica: true } },
    open: (servers: Servers, node = 0) => openRedis(servers, node, WAIT),
  },
  {
    facts: one(
      ...(['hybrid', 'etcd, and beside it a Redis that the sink of the service fills; reads come from Redis'] as const),
      ...([4, 0.6] as const),
      'etcd to be run with care, and a Redis that may be lost and filled again',
    ),
    ...{ needs: { ...ETCD, beside: true }, open: openBoth },
  },
];

const toldOf = (record: ShadowRecord | null): Told | null => {
  if (record === null || isTombstone(record.state)) return null;
  const { version, desired = {}, reported = {} } = record.state;
  return { version, desired: desired as Section, reported: reported as Section };
};

const present = (told: Told | null): Answer => ({ told, ageMs: null });

function openStorage(servers: Servers, metrics = new Metrics()) {
  const config = loadConfig({
    UMBRA_ETCD_ENDPOINTS: servers.etcd.map(({ endpoint }) => endpoint).join(','),
    UMBRA_ETCD_PREFIX: '/matrix/',
    UMBRA_MAX_QUEUED_PER_SHADOW: String(QUEUED),
    UMBRA_ETCD_CALL_TIMEOUT_MS: String(servers.callTimeoutMs ?? CALL_TIMEOUT_MS[servers.timers]),
  });
  return openEtcdStorage({ config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK, metrics });
}

/** @param metrics that the node counts with */
export async function openEtcd(servers: Servers, metrics?: Metrics): Promise<OpenColumn> {
  const { store, feed, close } = bound(openStorage(servers, metrics));
  return { store, feed, close, read: async (key, deadline) => present(toldOf(await store.get(key, { deadline }))) };
}

async function openCached(servers: Servers): Promise<OpenColumn> {
  const { store, feed, close } = bound(openStorage(servers));
  const reader = new CachedReader(feed, TENANT);
  await loaded(reader);
  return {
    ...{ store, feed },
    read: async (key) => withAge(toldOf(reader.get(key))),
    close: () => reader.close().then(close),
  };
}

async function openRedis({ redis }: Servers, node: number, wait?: WaitFor): Promise<OpenColumn> {
  if (!redis) throw new Error('no Redis');
  // Without sentinels the first server is the primary.
  const { name, servers } = redis;
  // A client asks them in the order of its list, so where all have one list the first decides for all.
  const first = node % Math.max(1, redis.sentinels.length);
  const sentinels = [...redis.sentinels.slice(first), ...redis.sentinels.slice(0, first)];
  const place = sentinels.length > 0 ? { sentinels, name } : (servers[0]?.port ?? 0);
  const config = { maxQueuedPerShadow: QUEUED, cacheEntries: 100_000 };
  const store = new RedisShadowStore(place, config, wait === undefined ? {} : { wait });
  return {
    ...{ store, feed: new RedisFeed(place, store.cache), close: () => store.close() },
    read: async (key, deadline) => present(toldOf(await store.get(key, { deadline }))),
  };
}

async function openBoth(servers: Servers, node = 0): Promise<OpenColumn> {
  if (!servers.beside) throw new Error('no Redis beside etcd');
  return openHybrid(bound(openStorage(servers)), servers.beside.port, node === 0);
}

const loaded = (reader: CachedReader): Promise<unknown> =>
  until('the cache is loaded', () => reader.isLoaded, LOADING_MS).catch(() => undefined);

const bound = (storage: ReturnType<typeof openStorage>) => ({
  ...{ store: storage.store, feed: storage.feed, close: () => storage.close() },
});
