import 'reflect-metadata';
import { startNode, type UmbraNode } from '../../src/app.js';
import { loadConfig } from '../../src/config/load-config.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import type { Storage } from '../../src/store/storage.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { Metrics } from '../../src/telemetry/metrics.js';
import { SettableClock } from './clock.js';
import { freePort } from './ports.js';

/** A whole node that asks nobody for credentials. */
export interface OpenNode {
  readonly url: string;
  readonly mqttUrl: string;
  /** Null without a port for it in the environment. */
  readonly metricsUrl: string | null;
  readonly node: UmbraNode;
  stop(): Promise<void>;
}

/** Over storage in memory, with a clock that stands. */
export function startOpenNode(): Promise<OpenNode> {
  return start({}, new SettableClock(), ({ clock }) => {
    const clusterKeys = new MemoryClusterKeys();
    const store = new MemoryShadowStore({ clock, clusterKeys });
    const feed = new MemoryShadowFeed(store);
    return { store, feed, clusterKeys, health: () => ({ ok: true, reason: 'in memory' }), close: () => store.close() };
  });
}

/** Over an etcd that it may share with others. */
export function startEtcdNode(endpoint: string, environment: Readonly<Record<string, string>>): Promise<OpenNode> {
  return start({ UMBRA_ETCD_ENDPOINTS: endpoint, ...environment }, SYSTEM_CLOCK, openEtcdStorage);
}

type Open = typeof openEtcdStorage;

async function start(
  environment: Readonly<Record<string, string>>,
  clock: typeof SYSTEM_CLOCK,
  open: (parts: Parameters<Open>[0]) => Storage,
): Promise<OpenNode> {
  const [http, mqtt] = [await freePort(), await freePort()];
  const config = loadConfig({ UMBRA_HTTP_PORT: String(http), UMBRA_MQTT_PORT: String(mqtt), ...environment });
  const metrics = new Metrics();
  const logger = SILENT_LOGGER;
  const storage = open({ config, logger, clock, metrics });
  const node = await startNode({ config, logger, clock, storage, metrics });
  return {
    url: node.addresses.http,
    mqttUrl: node.addresses.mqtt,
    metricsUrl: node.addresses.metrics,
    node,
    async stop() {
      await node.drain();
      await storage.close();
    },
  };
}
