import type { Clock } from '../../resilience/clock.js';
import type { Config } from '../../config/config.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Storage } from '../storage.js';
import { createEtcdStore } from './create-etcd-store.js';
import type { EtcdMembers } from './client/members.js';
import { EtcdClusterKeys } from './etcd-cluster-keys.js';
import { clusterPrefix } from './keys.js';
import { Lineage } from './lineage.js';
import { EtcdShadowFeed } from './feed/etcd-shadow-feed.js';
import type { FindRemoval } from './feed/deleted-records.js';
import type { ReadRecord } from './feed/record-decoder.js';
import { WATCH_TIMES, type WatchTimes } from './feed/watch-session.js';

/** Milliseconds between two looks at whether etcd answers. */
const PROBE_MS = 1_000;

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
<<<<<<< ours
  const { store, cluster, commit, cache, guard } = createEtcdStore({ config, history, logger, clock });
=======
  const { store, cluster, commit, cache, guard, removals } = createEtcdStore({ config, history, logger, clock });
  const credentials = readCredentials(config.etcd.tls);
>>>>>>> theirs
  const read: ReadRecord = (key, value, at) => {
    commit.confirm(key, value, at);
    return cache.fromFeed(key, value, at.revision);
  };
  const times = watchTimes ?? WATCH_TIMES;
<<<<<<< ours
  const connect = (host: string) => cluster.connect(host);
  const feed = new EtcdShadowFeed({ config: config.etcd, connect, calls: cluster, history, logger, read, times });
=======
  const removed: FindRemoval = (key, revision) => removals.get(key, revision);
  const feed = new EtcdShadowFeed({
    config: config.etcd,
    credentials,
    calls: cluster,
    history,
    logger,
    read,
    removed,
    times,
  });
>>>>>>> theirs
  const probe = new EtcdProbe(cluster);
  return {
    store,
    feed,
    clusterKeys: new EtcdClusterKeys(cluster, clusterPrefix(config.etcd.prefix), clock),
    // A full store is still worth sending reads and deletes to.
    health: () =>
      guard.use.full ? { ...probe.health, reason: `${probe.health.reason}; ${guard.use.reason}` } : probe.health,
    async close() {
      probe.close();
      await store.close();
    },
  };
}

/** Asks etcd now and then, so that readiness is told without waiting. */
class EtcdProbe {
  health = { ok: false, reason: 'etcd has not been asked yet' };
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(private readonly cluster: EtcdMembers) {
    void this.#ask();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    this.health = await this.cluster.status();
    if (!this.#closed) this.#timer = setTimeout(() => void this.#ask(), PROBE_MS).unref();
  }
}
