import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { CONFIG, type Config } from '../../config/config.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { onClientError } from './client-error.js';
import { serveDirectly } from './direct-handlers.js';
import { HttpErrorFilter } from '../http-error.filter.js';
import { serveOpenApi } from '../openapi/serve.js';
import { addRequestHooks, newRequestId } from './request-id.js';
import { RouteTable } from './route-table.js';

/** Milliseconds for the headers, and for the whole of a request: a client that trickles bytes is cut off (408). */
export const HEADERS_TIMEOUT_MS = 10_000;
export const RECEIVE_TIMEOUT_MS = 20_000;
/** Milliseconds that an idle connection is kept; above the 60 s after which common load balancers close theirs. */
const KEEP_ALIVE_MS = 65_000;
/** Milliseconds without a byte either way, while a request is being served; streams lift it for themselves. */
export const SOCKET_IDLE_MS = 120_000;
/** Bytes of all headers, the request line included; also bounds names, so that a long one gets our 400. */
const MAX_HEADER_BYTES = 16_384;

/** Options of every server that serves the routes, with TLS or without. */
export const SERVER_OPTIONS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: RECEIVE_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: MAX_HEADER_BYTES,
} as const;

interface Extras {
  readonly routes: RouteTable;
  filter: HttpErrorFilter | null;
}
const extras = new WeakMap<FastifyInstance, Extras>();

/** A Fastify that hands bodies of any content type, or none, to the handlers as bytes. */
export function createHttpAdapter(config: Config): FastifyAdapter {
  const adapter = new FastifyAdapter({
    http: SERVER_OPTIONS,
    requestTimeout: RECEIVE_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionTimeout: SOCKET_IDLE_MS,
    bodyLimit: config.http.maxBodyBytes,
    genReqId: newRequestId,
    // Names may be 128 characters, each up to three when percent-encoded; longer ones get our 400, not a 404 or 414.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    clientErrorHandler: onClientError,
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => answerEarly(error, request, reply),
  });
  const server = adapter.getInstance<FastifyInstance>();
  extras.set(server, { routes: new RouteTable(server), filter: null });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  server.addHook('onRequest', (request, _reply, done) => {
    // The type says nothing that we use, and a malformed one would be refused before a handler sees the body.
    delete request.headers['content-type'];
    done();
  });
  return adapter;
}

/** Puts on the application what its adapter alone cannot have: error answers, the request log, the API description. */
export function configureHttp(app: NestFastifyApplication): void {
  const server = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const extra = extras.get(server);
  if (!extra) throw new Error('the application must be built on createHttpAdapter()');
  const config = app.get<Config>(CONFIG, { strict: false });
  const logger = app.get<Logger>(LOGGER, { strict: false });
  extra.filter = new HttpErrorFilter(extra.routes, logger);
  app.useGlobalFilters(extra.filter);
  addRequestHooks(server, config.requestTimeoutMs, app.get<Clock>(CLOCK, { strict: false }), logger);
  serveDirectly(app, server);
  serveOpenApi(app);
}

/** Errors of the router, which no Nest filter sees: a malformed percent-encoding. */
function answerEarly(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const filter = extras.get(request.server)?.filter;
  if (filter) filter.answer(error, request, reply);
  else void reply.code(500).send();
}
