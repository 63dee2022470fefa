import 'reflect-metadata';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Module, type DynamicModule, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { AccessModule, type Access } from '../../src/access/access.module.js';
import { ConfigModule } from '../../src/config/config.module.js';
import type { Config } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { HealthModule } from '../../src/health/health.module.js';
import { HttpServer } from '../../src/http/server/http-server.js';
import { MqttBroker } from '../../src/mqtt/built-in/broker.js';
import { CurrentDeltas } from '../../src/mqtt/built-in/current-deltas.js';
import { MqttModule } from '../../src/mqtt/built-in/built-in.module.js';
import { MqttTransport } from '../../src/mqtt/built-in/transport.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { ShadowModule } from '../../src/shadow/shadow.module.js';
import { StoreModule } from '../../src/store/store.module.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import type { Storage } from '../../src/store/storage.js';
import { SILENT_LOGGER, type Logger } from '../../src/telemetry/logger.js';
import { WATCH_HUB, type WatchHub } from '../../src/watch/subscription.js';
import { SettableClock } from './clock.js';
import { freePort } from './ports.js';
import { until } from './until.js';
import { wrappedStore } from './wrapped-store.js';

/** The MQTT door of a node over a memory store, without the rest: for tests that are about MQTT alone. */
export interface MqttNode {
  readonly url: string;
  readonly tlsUrl: string | null;
  readonly port: number;
  readonly clock: SettableClock;
  readonly store: MemoryShadowStore;
  readonly transport: MqttTransport;
  readonly broker: MqttBroker;
  readonly currentDeltas: CurrentDeltas;
  readonly hub: WatchHub;
  connect(options?: IClientOptions, url?: string): Promise<TestClient>;
  /** An HTTP server of the test, whose upgrades MQTT gets. Returns its port. */
  attachHttp(): Promise<number>;
  stop(): Promise<void>;
}

export interface MqttNodeOptions {
  readonly mqtt?: Partial<Config['mqtt']>;
  readonly config?: Partial<Config>;
  readonly tls?: Config['tls'];
  readonly logger?: Logger;
  /** What the door sees instead of the memory store. */
  readonly access?: Access;
  readonly wrap?: (store: ShadowStore) => ShadowStore;
}

@Module({})
class MqttNodeModule {
  static forRoot(
    config: Config,
    logger: Logger,
    clock: SettableClock,
    storage: Storage,
    access: Access | undefined,
  ): DynamicModule {
    const imports = [
      ConfigModule.forRoot(config, logger, clock),
      AccessModule.forRoot(access),
      HealthModule,
      StoreModule.forRoot(storage),
      MqttModule,
      ShadowModule,
    ];
    return { module: MqttNodeModule, imports };
  }
}

export async function startMqttNode(options: MqttNodeOptions = {}): Promise<MqttNode> {
  const clock = new SettableClock();
  const store = new MemoryShadowStore({ clock });
  const base = loadConfig({});
  const port = await freePort();
  const tlsPort = options.tls ? await freePort() : null;
  const config: Config = {
    ...base,
    ...options.config,
    mqtt: { ...base.mqtt, host: '127.0.0.1', port, tlsPort, ...options.mqtt },
    tls: options.tls ?? null,
  };
  const storage: Storage = {
    store: wrappedStore(store, options.wrap),
    feed: new MemoryShadowFeed(store),
    health: () => ({ ok: true, reason: 'in memory' }),
    close: () => store.close(),
  };
  const logger = options.logger ?? SILENT_LOGGER;
  const module = MqttNodeModule.forRoot(config, logger, clock, storage, options.access);
  const { adapter } = new HttpServer({ config, logger, clock });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: ['error', 'fatal'],
    abortOnError: false,
  });
  const transport = app.get(MqttTransport);
  const hub = app.get<WatchHub>(WATCH_HUB);
  const service: INestMicroservice = app.connectMicroservice({ strategy: transport }, { inheritAppConfig: false });
  await hub.start();
  await app.startAllMicroservices();
  await app.init();
  const clients: TestClient[] = [];
  const servers: Server[] = [];
  const { mqtt: url, mqtts: tlsUrl } = transport.addresses();
  return {
    url,
    tlsUrl,
    port,
    clock,
    store,
    transport,
    broker: app.get(MqttBroker),
    currentDeltas: app.get(CurrentDeltas),
    hub,
    async connect(clientOptions = {}, to = url) {
      const client = await TestClient.connect(to, clientOptions);
      clients.push(client);
      return client;
    },
    async attachHttp() {
      const server = createServer();
      servers.push(server);
      transport.attachWebSocket(server);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        void freePort().then((free) => server.listen(free, '127.0.0.1', resolve), reject);
      });
      return (server.address() as AddressInfo).port;
    },
    async stop() {
      for (const client of clients) client.mqtt.end(true);
      await transport.drain();
      for (const server of servers) server.close();
      await hub.close();
      await service.close();
      await app.close();
      await store.close();
    },
  };
}

export interface Received {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  /** The parsed payload, or undefined where it is no JSON. */
  readonly json: any; // eslint-disable-line @typescript-eslint/no-explicit-any -- tests look at any member
}

/** One mqtt.js client that notes what it receives. It does not come back by itself. */
export class TestClient {
  readonly received: Received[] = [];
  closed = false;

  private constructor(readonly mqtt: MqttClient) {
    mqtt.on('error', () => {});
    mqtt.on('close', () => (this.closed = true));
    mqtt.on('message', (topic, payload, { qos, retain, dup }) => {
      this.received.push({ topic, qos, retain, dup, json: parsed(payload) });
    });
  }

  /** Rejects with what the CONNACK, or the end of the connection, said. */
  static connect(url: string, options: IClientOptions): Promise<TestClient> {
    return new Promise((resolve, reject) => {
      const mqtt = connect(url, { reconnectPeriod: 0, connectTimeout: 8000, ...options });
      // Listens before the CONNACK: messages of a resumed session may come right behind it.
      const client = new TestClient(mqtt);
      mqtt.once('connect', () => {
        // Nagle's algorithm and delayed acknowledgements together cost 40 ms a request, for nothing.
        (mqtt.stream as Partial<Socket>).setNoDelay?.(true);
        resolve(client);
      });
      mqtt.once('error', (error) => {
        mqtt.end(true);
        reject(error);
      });
      mqtt.once('close', () => reject(new Error('closed before the CONNACK')));
    });
  }

  /** Subscribes and returns what was granted: 0, 1, or a failure code. */
  async subscribe(filters: string | string[], qos: 0 | 1 | 2 = 1): Promise<number[]> {
    return new Promise((resolve) => {
      this.mqtt.subscribe(filters, { qos }, (_error, _granted, packet) => {
        resolve((packet?.granted ?? []) as number[]);
      });
    });
  }

  /** Publishes; resolves when it is acknowledged, rejects when it is refused. */
  async publish(topic: string, body?: unknown, qos: 0 | 1 = 1): Promise<void> {
    const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
    await this.mqtt.publishAsync(topic, payload, { qos });
  }

  topics(): string[] {
    return this.received.map(({ topic }) => topic);
  }

  /** Waits for a message on `topic`; the `count`th one. */
  async next(topic: string, count = 1): Promise<Received> {
    const found = (): Received[] => this.received.filter((message) => message.topic === topic);
    await until(`message ${count} on ${topic}`, () => found().length >= count);
    return found()[count - 1] as Received;
  }
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString());
  } catch {
    return undefined;
  }
}
