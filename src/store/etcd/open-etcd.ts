import type { Config } from '../../config/config.js';
import type { Clock } from '../../resilience/clock.js';
import { DeadlineSweep } from '../../resilience/deadline-sweep.js';
import type { Logger } from '../../telemetry/logger.js';
import { Metrics } from '../../telemetry/metrics.js';
import { MAX_MEMBERS, StorageMetrics } from '../../telemetry/storage-metrics.js';
import { ShadowQueue } from '../shadow-queue.js';
import type { ShadowStore } from '../shadow-store.js';
import type { MemberUse, Storage } from '../storage.js';
import { LATEST_FORMAT, RECORD_FORMATS, type RecordFormat } from './codec.js';
import { leaderOf } from './client/leader.js';
import { EtcdMembers, type MemberFactories } from './client/members.js';
import { EtcdClusterKeys } from './etcd-cluster-keys.js';
import { EtcdProbe } from './etcd-probe.js';
import { EtcdShadowStore } from './etcd-shadow-store.js';
import { EtcdShadowFeed } from './feed/etcd-shadow-feed.js';
import { FeedLag } from './feed/feed-lag.js';
import { WATCH_TIMES, type WatchTimes } from './feed/watch-session.js';
import { Lineage } from './lineage.js';
import { PastReads } from './read/past-reads.js';
import { ReadBatcher } from './read/read-batcher.js';
import { RecordCache } from './read/record-cache.js';
import { ShadowLister } from './read/shadow-lister.js';
import { GroupCommit, type GroupCommitOptions } from './write/group-commit.js';
import { KnownClaims } from './write/known-claims.js';
import { OwnRemovals } from './write/own-removals.js';
import { QuotaGuard } from './write/quota-guard.js';
import { ShadowWriter } from './write/shadow-writer.js';
import { TombstoneLeases } from './write/tombstone-leases.js';
import { Transactions } from './write/transactions.js';

export interface EtcdStorageOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Shortened by tests. */
  readonly watchTimes?: WatchTimes;
  readonly metrics?: Metrics;
}

/** The store and the feed of one etcd cluster. The endpoints must be known; etcd need not answer yet. No errors. */
export function openEtcdStorage(options: EtcdStorageOptions): Storage {
  const { config, logger, clock, watchTimes, metrics = new Metrics() } = options;
  const history = new Lineage();
  const lag = new FeedLag(metrics.feed.lag);
  const onCommitted = (revision: number): void => lag.committed(revision, performance.now());
  const opened = createEtcdStore({ config, history, logger, clock, metrics: metrics.storage, commit: { onCommitted } });
  const { store, cluster, commit, transactions, cache, guard, removals } = opened;
  if (config.etcd.tls.ca !== null) cluster.followCertificates(metrics.node.countTlsReloads('etcd'));
  const times = watchTimes ?? WATCH_TIMES;
  const feed = new EtcdShadowFeed({
    config: config.etcd,
    connect: (host) => cluster.connect(host),
    openChannel: (host) => cluster.openChannel(host),
    calls: cluster,
    history,
    logger,
    times,
    lag,
    metrics: metrics.feed,
    removed: (key, revision) => removals.get(key, revision),
    known: {
      // An own write is announced to the cache before it is sent.
      mayKnow: (hash) => cache.mayFollow(hash),
      take: (key, stored, at) => {
        if (commit.awaits(key)) commit.confirm(key, stored.value, at);
        if (transactions.areWatched) transactions.confirm(key, stored.value, at);
        return cache.follows(key) ? cache.observe(key, stored.value, at.revision) : undefined;
      },
    },
  });
  const health = new EtcdProbe(cluster, guard, config.etcd, logger);
  return {
    store,
    feed,
    clusterKeys: new EtcdClusterKeys({ cluster, prefix: config.etcd.prefix, clock, logger, watchTimes: times }),
    health: () => health.health,
    use: () => ({
      ...{ members: guard.members, quotaBytes: config.etcd.quotaBytes, full: guard.use.full },
      recordFormats: { reads: RECORD_FORMATS, writes: formatOf(config) },
    }),
    async close() {
      health.close();
      await store.close();
    },
  };
}

export interface EtcdStoreOptions {
  readonly config: Pick<Config, 'etcd' | 'maxQueuedPerShadow' | 'cacheEntries'> & Partial<Pick<Config, 'recordFormat'>>;
  readonly history: Lineage;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Swapped by tests that count or refuse calls. */
  readonly factories?: MemberFactories;
  readonly commit?: GroupCommitOptions;
  /** Milliseconds between two checks of the free space of etcd. */
  readonly guardPeriodMs?: number;
  readonly metrics?: StorageMetrics;
}

/** The store with those of its parts that a feed and the health of etcd use. */
export interface EtcdStore {
  readonly store: ShadowStore;
  readonly cluster: EtcdMembers;
  readonly commit: GroupCommit;
  readonly transactions: Transactions;
  readonly cache: RecordCache;
  readonly guard: QuotaGuard;
  readonly removals: OwnRemovals;
  /** Closes every part; pending calls fail with `draining` or `outcomeUnknown`. No errors. */
  close(): Promise<void>;
}

/** The store of one etcd cluster without a feed. The endpoints must be known; etcd need not answer yet. No errors. */
export function createEtcdStore(options: EtcdStoreOptions): EtcdStore {
  const { config, history, logger, clock, metrics = new StorageMetrics() } = options;
  const cluster = new EtcdMembers(config.etcd, clock, logger, options.factories, metrics.etcd);
  const commit = new GroupCommit(cluster, history, clock, logger, { metrics: metrics.commit, ...options.commit });
  const reads = new ReadBatcher(cluster, history, clock, logger, metrics.reads);
  const past = new PastReads(new ReadBatcher(cluster, history, clock, logger, metrics.reads), history);
  const cache = new RecordCache(config.cacheEntries, history);
  const leases = new TombstoneLeases(cluster, clock);
  const claims = new KnownClaims({ cluster, reads, history, prefix: config.etcd.prefix, logger, clock });
  const removals = new OwnRemovals();
  const guard = new QuotaGuard(cluster, config.etcd, clock, logger, {
    ...(options.guardPeriodMs === undefined ? {} : { periodMs: options.guardPeriodMs }),
    onCheck: () => {
      const ready = leases.prepare(clock.monotonic() + config.etcd.callTimeoutMs);
      ready.catch((error: unknown) => logger.debug({ err: error }, 'no lease for tombstones'));
    },
    onViews: (views) => {
      const host = leaderOf(views);
      if (host !== null) cluster.prefer(host);
    },
  });
  const format = formatOf(config);
  const queue = new ShadowQueue(config.maxQueuedPerShadow, new DeadlineSweep(clock), metrics.commit.waitedChanges);
  metrics.commit.waitingChanges.read = () => queue.waiting;
  readStanding(metrics, { cache, guard, quotaBytes: config.etcd.quotaBytes });
  const shared = { reads, cache, leases, claims, guard, format, clock, logger, metrics };
  const writer = new ShadowWriter({ ...shared, queue, commit, removals });
  const transactions = new Transactions(queue, { ...shared, cluster, history });
  const lister = new ShadowLister(cluster, config.etcd.prefix, logger);
  const close = (): void => {
    guard.close();
    queue.close();
    commit.close();
    transactions.close();
    reads.close();
    past.close();
    cluster.close();
  };
  const context = { prefix: config.etcd.prefix, history, logger };
  const store = new EtcdShadowStore({ reads, past, writer, transactions, cache, lister, close }, context);
  guard.start();
  return { store, cluster, commit, transactions, cache, guard, removals, close: () => store.close() };
}

const formatOf = ({ recordFormat }: Partial<Pick<Config, 'recordFormat'>>): RecordFormat =>
  recordFormat === 1 ? 1 : LATEST_FORMAT;

/** Has metrics say what the parts of the store hold. */
function readStanding(
  { reads, etcd }: StorageMetrics,
  { cache, guard, quotaBytes }: { cache: RecordCache; guard: QuotaGuard; quotaBytes: number },
): void {
  reads.cacheRecords.read = () => cache.size;
  reads.cacheBytes.read = () => cache.allocated;
  const members = (): readonly MemberUse[] => guard.members.slice(0, MAX_MEMBERS);
  etcd.used.read = () => members().map(({ host, usedBytes }) => [[host], usedBytes]);
  etcd.leader.read = () => members().map(({ host, isLeader }) => [[host], Number(isLeader)]);
  etcd.quota.read = () => quotaBytes;
  etcd.full.read = () => Number(guard.use.full);
}
