import 'reflect-metadata';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AccessModule } from '../../src/access/access.module.js';
import { BulkModule } from '../../src/bulk/bulk.module.js';
import { ConfigModule } from '../../src/config/config.module.js';
import type { Config } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { HealthModule } from '../../src/health/health.module.js';
import { HealthRegistry } from '../../src/health/health-registry.js';
import type { BodyBudget } from '../../src/http/server/body-budget.js';
import { HttpServer } from '../../src/http/server/http-server.js';
import { RuntimeModule } from '../../src/runtime/runtime.module.js';
import { ShadowModule } from '../../src/shadow/shadow.module.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { StoreModule } from '../../src/store/store.module.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import type { Storage } from '../../src/store/storage.js';
import type { Health } from '../../src/telemetry/health.js';
import { SILENT_LOGGER, type Logger } from '../../src/telemetry/logger.js';
import { TransactionsModule } from '../../src/transactions/transactions.module.js';
import { ThingsModule } from '../../src/things/things.module.js';
import { WATCH_HUB, type WatchHub } from '../../src/watch/subscription.js';
import { SettableClock } from './clock.js';
import { freePort } from './ports.js';
import { wrappedStore } from './wrapped-store.js';

/** The HTTP door of a node over a memory store, without MQTT: for tests that are about HTTP alone. */
export interface HttpNode {
  readonly url: string;
  readonly httpsUrl: string | null;
  readonly port: number;
  readonly clock: SettableClock;
  readonly store: MemoryShadowStore;
  readonly hub: WatchHub;
  readonly health: HealthRegistry;
  readonly app: NestFastifyApplication;
  stop(): Promise<void>;
}

export interface HttpNodeOptions {
  readonly http?: Partial<Config['http']>;
  readonly watch?: Partial<Config['watch']>;
  readonly limits?: Partial<Config['limits']>;
  readonly tls?: Config['tls'];
  readonly logger?: Logger;
  readonly bodies?: BodyBudget;
  /** What the routes see instead of the memory store. */
  readonly wrap?: (store: ShadowStore) => ShadowStore;
  /** Another node's store: two nodes then serve the same shadows. */
  readonly store?: MemoryShadowStore;
  readonly clock?: SettableClock;
  /** Opens another storage than the memory one; `store` of the node is then unused. Closed with the node. */
  readonly open?: (parts: { config: Config; logger: Logger; clock: SettableClock }) => Storage;
  readonly etcd?: Partial<Config['etcd']>;
  /** The health of the memory storage, which is the part `etcd`. */
  readonly storageHealth?: () => Health;
}

@Module({})
class HttpNodeModule {
  static forRoot(config: Config, logger: Logger, clock: SettableClock, storage: Storage): DynamicModule {
    const imports = [
      ConfigModule.forRoot(config, logger, clock),
      AccessModule.forRoot(),
      HealthModule,
      StoreModule.forRoot(storage),
      ShadowModule,
      TransactionsModule,
      RuntimeModule.forRoot(null),
      BulkModule,
      ThingsModule,
    ];
    return { module: HttpNodeModule, imports };
  }
}

export async function startHttpNode(options: HttpNodeOptions = {}): Promise<HttpNode> {
  const clock = options.clock ?? new SettableClock();
  const clusterKeys = new MemoryClusterKeys();
  const store = options.store ?? new MemoryShadowStore({ clock, clusterKeys });
  const port = await freePort();
  const base = loadConfig({});
  const config: Config = {
    ...base,
    http: { ...base.http, host: '127.0.0.1', port, tlsPort: null, ...options.http },
    watch: { ...base.watch, ...options.watch },
    etcd: { ...base.etcd, ...options.etcd },
    limits: { ...base.limits, ...options.limits },
    tls: options.tls ?? null,
  };
  const logger = options.logger ?? SILENT_LOGGER;
  const storage: Storage = options.open?.({ config, logger, clock }) ?? {
    store: wrappedStore(store, options.wrap),
    feed: new MemoryShadowFeed(store),
    clusterKeys,
    health: options.storageHealth ?? (() => ({ ok: true, reason: 'in memory' })),
    close: () => store.close(),
  };
  const server = new HttpServer({ config, logger, clock, ...(options.bodies && { bodies: options.bodies }) });
  const app = await NestFactory.create<NestFastifyApplication>(
    HttpNodeModule.forRoot(config, logger, clock, storage),
    server.adapter,
    { logger: ['error', 'fatal'], bodyParser: false, abortOnError: false },
  );
  server.configure(app);
  const addresses = await server.listen(app);
  const hub = app.get<WatchHub>(WATCH_HUB);
  await hub.start();
  return {
    url: addresses.http,
    httpsUrl: addresses.https,
    port,
    clock,
    store,
    hub,
    health: app.get(HealthRegistry),
    app,
    async stop() {
      await hub.close();
      await app.close();
      if (!options.store) await storage.close();
    },
  };
}
