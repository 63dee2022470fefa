import type { Clock } from '../../resilience/clock.js';
import type { Config } from '../../config/config.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Storage } from '../storage.js';
import { createEtcdStore } from './create-etcd-store.js';
import { EtcdClusterKeys } from './etcd-cluster-keys.js';
import { EtcdHealth } from './etcd-health.js';
import { clusterPrefix } from './keys.js';
import { Lineage } from './lineage.js';
import { EtcdShadowFeed } from './feed/etcd-shadow-feed.js';
import type { FindRemoval } from './feed/deleted-records.js';
import type { ReadRecord } from './feed/record-decoder.js';
import { WATCH_TIMES, type WatchTimes } from './feed/watch-session.js';

export interface EtcdStorageOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Shortened by tests. */
  readonly watchTimes?: WatchTimes;
}

/** The store and the feed over one etcd cluster. The endpoints must be known by now; etcd need not answer yet. */
export function openEtcdStorage({ config, logger, clock, watchTimes }: EtcdStorageOptions): Storage {
  const history = new Lineage();
  const { store, cluster, commit, cache, guard, removals } = createEtcdStore({ config, history, logger, clock });
  const read: ReadRecord = (key, value, at) => {
    commit.confirm(key, value, at);
    return cache.fromFeed(key, value, at.revision);
  };
  const times = watchTimes ?? WATCH_TIMES;
  const connect = (host: string) => cluster.connect(host);
  const removed: FindRemoval = (key, revision) => removals.get(key, revision);
  const parts = { config: config.etcd, connect, calls: cluster, history, logger, read, removed, times };
  const feed = new EtcdShadowFeed(parts);
  const health = new EtcdHealth(cluster, guard, config.etcd, logger);
  return {
    store,
    feed,
    clusterKeys: new EtcdClusterKeys(cluster, clusterPrefix(config.etcd.prefix), clock),
    health: () => health.health,
    async close() {
      health.close();
      await store.close();
    },
  };
}
