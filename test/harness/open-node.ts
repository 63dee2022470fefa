import 'reflect-metadata';
import { startNode } from '../../src/app.js';
import { loadConfig } from '../../src/config/load-config.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { SettableClock } from './clock.js';
import { freePort } from './ports.js';

/** A whole node that asks nobody for credentials, over storage in memory. */
export interface OpenNode {
  readonly url: string;
  readonly mqttUrl: string;
  stop(): Promise<void>;
}

export async function startOpenNode(): Promise<OpenNode> {
  const [http, mqtt] = [await freePort(), await freePort()];
  const config = loadConfig({ UMBRA_HTTP_PORT: String(http), UMBRA_MQTT_PORT: String(mqtt) });
  const clock = new SettableClock();
  const clusterKeys = new MemoryClusterKeys();
  const store = new MemoryShadowStore({ clock, clusterKeys });
  const storage = {
    store,
    feed: new MemoryShadowFeed(store),
    clusterKeys,
    health: () => ({ ok: true, reason: 'in memory' }),
    close: () => store.close(),
  };
  const node = await startNode({ config, logger: SILENT_LOGGER, clock, storage });
  return {
    url: node.addresses.http,
    mqttUrl: node.addresses.mqtt,
    async stop() {
      await node.drain();
      await store.close();
    },
  };
}
