import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { EtcdMembers } from '../../src/store/etcd/client/members.js';
import { EtcdClusterKeys } from '../../src/store/etcd/etcd-cluster-keys.js';
import type { WatchTimes } from '../../src/store/etcd/feed/watch-session.js';
import { SILENT_LOGGER, type Logger } from '../../src/telemetry/logger.js';
import { etcdConfig } from './etcd-store.js';

export interface EtcdKeysOptions {
  readonly prefix?: string;
  readonly times?: WatchTimes;
  readonly logger?: Logger;
  readonly callTimeoutMs?: number;
}

export interface EtcdKeysFixture {
  readonly keys: EtcdClusterKeys;
  /** Of everything in etcd. */
  readonly prefix: string;
  close(): Promise<void>;
}

let prefixes = 0;

/** The keys of a cluster as a node opens them. Every fixture has its own prefix, so that tests can share a server. */
export function etcdKeys(endpoints: readonly string[], options: EtcdKeysOptions = {}): EtcdKeysFixture {
  const prefix = options.prefix ?? `/keys${process.pid}-${prefixes++}/`;
  const logger = options.logger ?? SILENT_LOGGER;
  const config = etcdConfig(endpoints, { prefix, callTimeoutMs: options.callTimeoutMs ?? 1_000 });
  const cluster = new EtcdMembers(config, SYSTEM_CLOCK, logger);
  const watchTimes = options.times ? { watchTimes: options.times } : {};
  return {
    keys: new EtcdClusterKeys({ cluster, prefix, clock: SYSTEM_CLOCK, logger, ...watchTimes }),
    prefix,
    close: async () => cluster.close(),
  };
}
