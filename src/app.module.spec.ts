import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { MemoryClusterKeys } from '../test/harness/memory-cluster-keys.js';
import { AppModule } from './app.module.js';
import { loadConfig } from './config/load-config.js';
import { MemoryShadowFeed } from './store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from './store/memory/memory-shadow-store.js';
import { SILENT_LOGGER } from './telemetry/logger.js';

describe('AppModule', () => {
  it.each([
    ['alone', {}, ['draining', 'etcd', 'feed', 'mqtt', 'presence']],
    [
      'with an external broker',
      { UMBRA_BROKER_URL: 'mqtt://127.0.0.1:1883' },
      ['broker', 'draining', 'etcd', 'feed', 'mqtt', 'presence'],
    ],
  ])('%s has the health of each part', async (_what, environment, names) => {
    const store = new MemoryShadowStore();
    const storage = {
      store,
      feed: new MemoryShadowFeed(store),
      clusterKeys: new MemoryClusterKeys(),
      health: () => ({ ok: true, reason: 'in memory' }),
      close: () => store.close(),
    };
    const parts = { config: loadConfig(environment), logger: SILENT_LOGGER, storage };
    const app = await NestFactory.createApplicationContext(AppModule.forRoot(parts), {
      logger: false,
      abortOnError: false,
    });
    try {
      const { health, external } = app.get(AppModule);
      expect(Object.keys(health.report().parts).sort()).toEqual(names);
      expect(external !== undefined).toBe(names.includes('broker'));
    } finally {
      await app.close();
      await store.close();
    }
  });
});
