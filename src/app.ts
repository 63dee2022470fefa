import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule, type AppParts } from './app.module.js';
import type { HealthRegistry } from './health/health-registry.js';
import { MetricsListener } from './health/metrics-listener.js';
import type { GrpcAddresses } from './grpc/grpc-server.js';
import { HttpServer, type HttpAddresses } from './http/server/http-server.js';
import { keepCode } from './keep-code.js';
import type { MqttAddresses } from './mqtt/built-in/listeners.js';
import { SYSTEM_CLOCK } from './resilience/clock.js';
import { openTracer } from './open-tracer.js';
import { Metrics } from './telemetry/metrics.js';
import { NestLogger } from './telemetry/nest-logger.js';

export interface NodeAddresses extends HttpAddresses, GrpcAddresses, MqttAddresses {
  /** The page of metrics; null without a port for it. */
  readonly metrics: string | null;
}

/** Milliseconds of a drain in which streams that have been told of their end may read what still waits for them. */
const LAST_MS = 1_000;
/** Milliseconds of a drain for the last traces. */
const TRACES_MS = 1_000;

const NO_GRPC: GrpcAddresses = { grpc: null, grpcs: null };

/** One running node: every door is open, and the hub follows the store. */
export interface UmbraNode {
  readonly addresses: NodeAddresses;
  readonly health: HealthRegistry;
  /** The application, for tests that look inside. */
  readonly app: NestFastifyApplication;
  /**
   * Ends the node in order: ready turns false, doors stop accepting, requests in flight finish, clients get a reason,
   * streams end with `draining`. The storage stays open; its owner closes it. Takes at most `config.drainTimeoutMs`.
   */
  drain(): Promise<void>;
}

/**
 * Builds a node from its parts and opens its doors.
 * @throws Error EADDRINUSE and the like, with the port in it
 */
export async function startNode(parts: AppParts): Promise<UmbraNode> {
  keepCode();
  const { config, logger, clock = SYSTEM_CLOCK, metrics = new Metrics() } = parts;
  const server = new HttpServer({ config, logger, clock });
  const traces = await openTracer(config, { metrics: metrics.traces, clock, logger });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot({ ...parts, metrics, tracer: traces.tracer }),
    server.adapter,
    {
      logger: new NestLogger(logger),
      bodyParser: false,
      abortOnError: false,
    },
  );
  const { health, hub, mqtt, external, grpc, sinks, presence } = app.get(AppModule);
  server.configure(app);
  app.connectMicroservice({ strategy: mqtt }, { inheritAppConfig: false });
  if (external) app.connectMicroservice({ strategy: external }, { inheritAppConfig: false });
  if (grpc) {
    grpc.isReady = () => health.report().ready;
    app.connectMicroservice({ strategy: grpc }, { inheritAppConfig: false });
  }
  const page = new MetricsListener(config, metrics, logger);
  page.tellOf(health);
  let http: HttpAddresses;
  let metricsUrl: string | null = null;
  try {
    if (config.metrics.port !== null) metricsUrl = await page.open(config.metrics.port);
    await app.startAllMicroservices();
    http = await server.listen(app, (each) => mqtt.attachWebSocket(each));
  } catch (error) {
    await page.close();
    await app.close();
    await traces.close(0);
    throw error;
  }
  return {
    addresses: { ...http, ...(grpc?.addresses() ?? NO_GRPC), ...mqtt.addresses(), metrics: metricsUrl },
    health,
    app,
    drain: async () => {
      const end = performance.now() + config.drainTimeoutMs;
      health.drain();
      // All doors drain at once, because they share one time limit. The hub continues until MQTT has published what it
      // committed. Then its end ends the streams, and HTTP waits for these.
      const closed = app.close();
      const graceMs = Math.max(0, Math.min(config.drainGraceMs, config.drainTimeoutMs - LAST_MS));
      const spreadMs = Math.max(0, Math.min(config.drainSpreadMs, config.drainTimeoutMs - LAST_MS - graceMs));
      const streams = [hub, presence].map((each) => each?.endEvenly(graceMs, spreadMs));
      await Promise.all([mqtt.drain(), external?.drain(), sinks?.stop(), ...streams]);
      await hub.close();
      await closed;
      await traces.close(Math.max(0, Math.min(TRACES_MS, end - performance.now())));
      await page.close();
    },
  };
}
