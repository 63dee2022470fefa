import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule, type AppParts } from './app.module.js';
import { HealthRegistry } from './health/health-registry.js';
import { HttpServer, type HttpAddresses } from './http/server/http-server.js';
import { ExternalTransport } from './mqtt/external/transport.js';
import { MqttTransport } from './mqtt/built-in/transport.js';
import type { MqttAddresses } from './mqtt/built-in/listeners.js';
import { SYSTEM_CLOCK } from './resilience/clock.js';
import { NestLogger } from './telemetry/nest-logger.js';
import { WATCH_HUB, type WatchHub } from './watch/subscription.js';

export interface NodeAddresses extends HttpAddresses, MqttAddresses {}

/** One running node: every door open, the hub following. */
export interface UmbraNode {
  readonly addresses: NodeAddresses;
  readonly health: HealthRegistry;
  /** The application, for tests that look inside. */
  readonly app: NestFastifyApplication;
  /**
   * Ends it in order: ready turns false, doors stop accepting, what is in flight is finished, clients are told, streams
   * end with `draining`. The storage stays open; its owner closes it. Takes at most `config.drainTimeoutMs`.
   */
  drain(): Promise<void>;
}

/**
 * Builds a node from its parts and opens its doors.
 * @throws Error EADDRINUSE and the like, with the port in it
 */
export async function startNode(parts: AppParts): Promise<UmbraNode> {
  const { config, logger, storage, clock = SYSTEM_CLOCK } = parts;
  const server = new HttpServer({ config, logger, clock });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(parts), server.adapter, {
    logger: new NestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  const health = app.get(HealthRegistry);
  const hub = app.get<WatchHub>(WATCH_HUB, { strict: false });
  const mqtt = app.get(MqttTransport, { strict: false });
  health.register('etcd', () => storage.health());
  health.register('feed', () => hub.health);
  const external = config.externalBroker === null ? null : app.get(ExternalTransport, { strict: false });
  if (external) health.register('broker', () => external.health);
  server.configure(app);
  app.connectMicroservice({ strategy: mqtt }, { inheritAppConfig: false });
  if (external) app.connectMicroservice({ strategy: external }, { inheritAppConfig: false });
  let http: HttpAddresses;
  try {
    await app.startAllMicroservices();
    http = await server.listen(app, (each) => mqtt.attachWebSocket(each));
  } catch (error) {
    await app.close();
    throw error;
  }
  return {
    addresses: { ...http, ...mqtt.addresses() },
    health,
    app,
    drain: async () => {
      health.drain();
      // All doors at once, so that the bound is theirs together. The hub goes on until MQTT has told what it committed;
      // its end then ends the streams, for which HTTP waits.
      const closed = app.close();
      await Promise.all([mqtt.drain(), external?.drain()]);
      await hub.close();
      await closed;
    },
  };
}
