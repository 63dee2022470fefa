import type { Clock } from '../../resilience/clock.js';
import type { Config } from '../../config/config.js';
import type { Logger } from '../../telemetry/logger.js';
import { DeadlineSweep } from '../../resilience/deadline-sweep.js';
import { ShadowQueue } from '../shadow-queue.js';
import type { ShadowStore } from '../shadow-store.js';
import { EtcdMembers, type CreateClient } from './client/members.js';
import { EtcdShadowStore } from './etcd-shadow-store.js';
import { ReadBatcher } from './read/read-batcher.js';
import { GroupCommit, type GroupCommitOptions } from './write/group-commit.js';
import type { Lineage } from './lineage.js';
import { RecordCache } from './read/record-cache.js';
import { ShadowLister } from './read/shadow-lister.js';
import { ShadowWriter } from './write/shadow-writer.js';
import { OwnRemovals } from './write/own-removals.js';
import { QuotaGuard } from './write/quota-guard.js';
import { TombstoneLeases } from './write/tombstone-leases.js';

export interface EtcdStoreOptions {
  readonly config: Pick<Config, 'etcd' | 'maxQueuedPerShadow' | 'cacheEntries'>;
  readonly history: Lineage;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Swapped by tests that count calls. */
  readonly createClient?: CreateClient;
  readonly commit?: GroupCommitOptions;
  /** Milliseconds between two looks at the room that is left. */
  readonly guardPeriodMs?: number;
}

export interface EtcdStore {
  readonly store: ShadowStore;
  readonly cluster: EtcdMembers;
  readonly commit: GroupCommit;
  /** The feed offers what it sees, and takes what need not be parsed again. */
  readonly cache: RecordCache;
  readonly guard: QuotaGuard;
  /** The feed asks what this node removed. */
  readonly removals: OwnRemovals;
  /** Closes every part; pending calls fail with `draining` or `outcomeUnknown`. No errors. */
  close(): Promise<void>;
}

/** The store over etcd with all its parts; closing it closes them. The endpoints must be known by now. */
export function createEtcdStore(options: EtcdStoreOptions): EtcdStore {
  const { config, history, logger, clock } = options;
  const cluster = new EtcdMembers(config.etcd, clock, logger, options.createClient);
  const commit = new GroupCommit(cluster, history, clock, logger, options.commit);
  const reads = new ReadBatcher(cluster, history, clock, logger);
  const cache = new RecordCache(config.cacheEntries, history);
  const leases = new TombstoneLeases(cluster, clock);
  const removals = new OwnRemovals();
  const guard = new QuotaGuard(cluster, config.etcd, clock, logger, {
    ...(options.guardPeriodMs === undefined ? {} : { periodMs: options.guardPeriodMs }),
    onNearlyFull: () => {
      const ready = leases.prepare(clock.monotonic() + config.etcd.callTimeoutMs);
      ready.catch((error: unknown) => logger.warn({ err: error }, 'no lease for tombstones'));
    },
  });
  const queue = new ShadowQueue(config.maxQueuedPerShadow, new DeadlineSweep(clock));
  const writer = new ShadowWriter({ commit, reads, cache, leases, guard, removals, logger });
  const lister = new ShadowLister(cluster, config.etcd.prefix, logger);
  const close = (): void => {
    guard.close();
    queue.close();
    commit.close();
    reads.close();
    cluster.close();
  };
  const context = { prefix: config.etcd.prefix, history, clock, logger };
  const store = new EtcdShadowStore({ queue, reads, writer, cache, lister, close }, context);
  guard.start();
  return { store, cluster, commit, cache, guard, removals, close: () => store.close() };
}
