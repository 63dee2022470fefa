import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AUTHENTICATOR, type Authenticator } from '../../access/authenticator.js';
import type { Config } from '../../config/config.js';
import { connectionsWithin, descriptorLimit, httpConnectionsWithin } from '../../config/descriptors.js';
import { largestRequest } from '../../document/limits.js';
import type { Clock } from '../../resilience/clock.js';
import type { Logger } from '../../telemetry/logger.js';
import { METRICS, type Metrics } from '../../telemetry/metrics.js';
import { addAccessHooks } from '../access-hooks.js';
import { HttpErrorFilter } from '../http-error.filter.js';
import { serveOpenApi } from '../openapi/serve.js';
import { TRACER, type Tracer } from '../../telemetry/tracer.js';
import { addRequestCounts } from '../request-counts.js';
import { addRequestTraces } from '../request-traces.js';
import { addRouteHook } from '../route-hook.js';
import { originForm, MAX_HEADERS, RequestHeads } from '../request-head.js';
import { BodyBudget } from './body-budget.js';
import { BodyReader, continueBodies, type BodyLimits, type BodyTaker } from './body-reader.js';
import { largeBodies } from './large-body.js';
import { leaveToHandler, streamedBodies } from './streamed-body.js';
import { ClientErrors } from './client-error.js';
import { AddressShare } from './address-share.js';
import { ConnectionLimit } from './connection-limit.js';
import { Connections } from './connections.js';
import { serveDirectly } from './direct-handlers.js';
import { answerLast } from './last-answer.js';
import { closed, origin, secureServer } from './listeners.js';
import { addRequestHooks, newRequestId } from './request-id.js';
import { RouteTable } from './route-table.js';
import { upgradablePaths } from './upgradable.js';
import { upgradesOf } from './upgrades.js';
import {
  KEEP_ALIVE_MS,
  MAX_HEADER_BYTES,
  RECEIVE_TIMEOUT_MS,
  SERVER_OPTIONS,
  SOCKET_IDLE_MS,
} from './server-options.js';

export interface HttpServerParts {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  /** What half-sent bodies may take. */
  readonly bodies?: BodyBudget;
}

/** Origins such as `http://127.0.0.1:8080`. */
export interface HttpAddresses {
  readonly http: string;
  readonly https: string | null;
}

/**
 * The HTTP door of one application, in three steps: the application is built on `adapter`, `configure` adds what needs
 * the application, `listen` opens the ports.
 */
export class HttpServer {
  /** A Fastify that hands bodies of any content type, or none, to the handlers as bytes. */
  readonly adapter: FastifyAdapter;
  readonly #fastify: FastifyInstance;
  readonly #filter: HttpErrorFilter;
  readonly #largeBodies = new Map<string, number>();
  readonly #streamedBodies = new Set<string>();
  readonly #bodies: BodyLimits;
  readonly #clientErrors = new ClientErrors();

  constructor(private readonly parts: HttpServerParts) {
    const { config, logger } = parts;
    this.adapter = new FastifyAdapter({
      http: SERVER_OPTIONS,
      requestTimeout: RECEIVE_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionTimeout: SOCKET_IDLE_MS,
      genReqId: newRequestId,
      // Names may be 128 characters, each up to three when percent-encoded; longer ones get our 400, not a 404 or 414.
      routerOptions: { maxParamLength: MAX_HEADER_BYTES },
      clientErrorHandler: (error: NodeJS.ErrnoException, socket: Socket) => this.#clientErrors.answer(error, socket),
      rewriteUrl: originForm,
      // Errors of the router, which no Nest filter sees: a malformed percent-encoding.
      frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) =>
        this.#filter.answer(error, request, reply),
    });
    this.#fastify = this.adapter.getInstance<FastifyInstance>();
    this.#filter = new HttpErrorFilter(new RouteTable(this.#fastify), logger);
    this.#fastify.removeAllContentTypeParsers();
    this.#bodies = {
      ...{ maxBytes: largestRequest(config.limits), larger: this.#largeBodies },
      budget: parts.bodies ?? new BodyBudget(),
    };
    this.#readBodies();
  }

  /**
   * Adds error answers, the request log, direct handlers and the description of the API.
   * @param app built on `adapter`, not yet initialised
   */
  configure(app: NestFastifyApplication): void {
    const { config, logger, clock } = this.parts;
    app.useGlobalFilters(this.#filter);
    const heads = new RequestHeads([config.http.host, ...config.http.names]);
    addRequestHooks(this.#fastify, { timeoutMs: config.requestTimeoutMs, heads, clock, logger });
    const metrics = app.get<Metrics>(METRICS, { strict: false });
    const tracer = app.get<Tracer>(TRACER, { strict: false });
    // Nobody would read them.
    if (config.metrics.port !== null || tracer.isOn)
      addRequestCounts(app, this.#fastify, { metrics, tracer, clock, timeoutMs: config.requestTimeoutMs });
    addRouteHook(app, this.#fastify);
    addAccessHooks(app, this.#fastify);
    addRequestTraces(this.#fastify, tracer);
    for (const [path, bytes] of largeBodies(app)) this.#largeBodies.set(path, bytes);
    for (const path of streamedBodies(app)) {
      this.#largeBodies.set(path, Infinity);
      this.#streamedBodies.add(path);
    }
    serveDirectly(app, this.#fastify);
    serveOpenApi(app, this.#fastify);
  }

  /**
   * Opens the HTTP door, and the HTTPS door where a port for it is configured. Both serve the same routes; both close
   * with the application.
   * @param attach is called with each server before it listens
   * @throws Error EADDRINUSE and the like, with the port in it
   */
  async listen(
    app: NestFastifyApplication,
    attach: (server: Server) => void = () => undefined,
  ): Promise<HttpAddresses> {
    const { config, logger } = this.parts;
    const { host, port, tlsPort } = config.http;
    const plain = this.#fastify.server;
    const { isRequired } = app.get<Authenticator>(AUTHENTICATOR, { strict: false });
    const metrics = app.get<Metrics>(METRICS, { strict: false });
    const parts = { clientErrors: this.#clientErrors, logger, asksForCertificates: isRequired, metrics };
    const secure = tlsPort !== null && config.tls ? secureServer(this.#fastify, { ...parts, files: config.tls }) : null;
    const servers = secure ? [plain, secure] : [plain];
    const streams = upgradablePaths(app);
    const share = new AddressShare(isRequired ? config.rates.connectionsOfAddress : 0, logger);
    for (const server of servers) {
      // One more than RequestHeads takes, or Node would drop headers unseen.
      server.maxHeadersCount = MAX_HEADERS + 1;
      this.#clientErrors.watch(server);
      share.watch(server);
      continueBodies(server, this.#bodies);
      attach(server);
      upgradesOf(server).serve(streams);
    }
    this.#drainOnClose(servers, share);
    if (secure) this.#fastify.addHook('onClose', () => closed(secure));
    await app.listen(port, host);
    if (secure && tlsPort !== null) {
      secure.listen(tlsPort, host);
      await once(secure, 'listening');
    }
    // Such as ENFILE on accept, which would end the process: the node keeps serving the connections it has.
    for (const server of servers) server.on('error', (err) => logger.error({ err }, 'an HTTP listener failed'));
    return { http: origin('http', host, plain), https: secure && origin('https', host, secure) };
  }

  #readBodies(): void {
    const { logger } = this.parts;
    const limits = this.#bodies;
    this.#fastify.addContentTypeParser('*', (request, payload, done) => {
      if (this.#streamedBodies.has(request.routeOptions.url ?? '')) return done(null, leaveToHandler(payload));
      const onAbort = (received: number): void =>
        logger.debug({ requestId: request.id, received, reason: 'aborted' }, 'http upload ended early');
      const onRead: BodyTaker = (error, body) => {
        if (error) answerLast(request);
        done(error, body);
      };
      new BodyReader(payload, limits, onRead, onAbort);
    });
  }

  #drainOnClose(servers: Server[], share: AddressShare): void {
    const limit = new ConnectionLimit(maxConnections(this.parts.config), this.parts.logger);
    const connections = servers.map((server) => {
      const each = new Connections(server);
      limit.watch(server, each);
      return each;
    });
    this.#fastify.addHook('preClose', async () => {
      limit.stop();
      share.stop();
      await Promise.all(connections.map((each) => each.drain(this.parts.config.drainTimeoutMs)));
    });
  }
}

function maxConnections({ http, mqtt }: Config): number {
  const descriptors = descriptorLimit();
  return (
    http.maxConnections || httpConnectionsWithin(descriptors, mqtt.maxConnections || connectionsWithin(descriptors))
  );
}
