import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import type { EtcdConfig } from '../../src/config/config.js';
import { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { createEtcdStore, type EtcdStore, type EtcdStoreOptions } from '../../src/store/etcd/open-etcd.js';
import { Lineage } from '../../src/store/etcd/lineage.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';

/** Configuration of tests for servers of tests. */
export function etcdConfig(endpoints: readonly string[], changes: Partial<EtcdConfig> = {}): EtcdConfig {
  return {
    endpoints,
    tls: { ca: null, cert: null, key: null },
    user: null,
    password: null,
    prefix: '/test/v1/',
    quotaBytes: 1024 ** 3,
    callTimeoutMs: 1_000,
    ...changes,
  };
}

/** A channel to a server of a test, without TLS and users. */
export const openChannel = (host: string): EtcdChannel => new EtcdChannel({ host, credentials: {}, tokens: null });

export const TEST_QUEUE = 100;

/** A store as a node opens it. */
export function openEtcdStore(
  endpoints: readonly string[],
  changes: Partial<EtcdConfig> = {},
  options: Partial<EtcdStoreOptions> = {},
): EtcdStore {
  return createEtcdStore({
    config: { etcd: etcdConfig(endpoints, changes), maxQueuedPerShadow: TEST_QUEUE, cacheEntries: 10_000 },
    history: new Lineage(),
    logger: SILENT_LOGGER,
    clock: SYSTEM_CLOCK,
    ...options,
  });
}
