import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import { bearerOf } from '../access/bearer.js';
import type { Config } from '../config/config.js';
import { MAX_HEADERS, RequestHeads } from '../http/request-head.js';
import { SERVER_OPTIONS } from '../http/server/server-options.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { CONTENT_TYPES, formatOf, renderMetrics } from '../telemetry/openmetrics.js';
import type { HealthRegistry } from './health-registry.js';
import { readMetricsToken } from './metrics-token.js';

/** Scrapers at once; Prometheus keeps one connection. */
const MAX_CONNECTIONS = 16;
/** Milliseconds for a request to arrive, and for a connection without one: longer than scrapers pause, which is a minute. */
const RECEIVE_MS = 5_000;
const IDLE_MS = 90_000;
const OPTIONS = {
  ...SERVER_OPTIONS,
  headersTimeout: RECEIVE_MS,
  requestTimeout: RECEIVE_MS,
  keepAliveTimeout: IDLE_MS,
};

/**
 * `GET /metrics` on an address of its own, apart from the doors: it answers while they are full, and needs no storage.
 * Bounded in connections and in time.
 */
export class MetricsListener {
  readonly #server: Server;
  readonly #heads: RequestHeads;
  /** SHA-256 of the token; null: nobody needs one. */
  readonly #token: Buffer | null;

  /** @throws ConfigError for a token that cannot be read */
  constructor(
    private readonly config: Pick<Config, 'metrics' | 'http' | 'nodeId'>,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    const { host, token } = config.metrics;
    this.#heads = new RequestHeads([host, ...config.http.names]);
    this.#token = token === null ? null : digestOf(readMetricsToken(token));
    this.#server = createServer(OPTIONS, (request, response) => this.#answer(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
    // One more than RequestHeads takes, or Node would drop headers unseen.
    this.#server.maxHeadersCount = MAX_HEADERS + 1;
    this.#server.setTimeout(IDLE_MS);
  }

  /**
   * Begins to measure, and to answer.
   * @returns such as `http://127.0.0.1:9464/metrics`
   * @throws Error EADDRINUSE and the like, with the port in it
   */
  async open(port: number): Promise<string> {
    const { host } = this.config.metrics;
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    this.#server.on('error', (err) => this.logger.error({ err }, 'the listener of the metrics failed'));
    this.metrics.node.start(this.config.nodeId);
    const { port: opened } = this.#server.address() as AddressInfo;
    return `http://${isIPv6(host) ? `[${host}]` : host}:${opened}/metrics`;
  }

  /** Has the page say how the parts of the node are. */
  tellOf(health: HealthRegistry): void {
    const { ready, draining } = this.metrics.node;
    const readings = (): (readonly [string, boolean])[] =>
      Object.entries(health.report().parts).map(([part, { ok }]) => [part, ok]);
    ready.read = () => readings().map(([part, ok]) => [[part], Number(ok)]);
    draining.read = () => Number(readings().some(([part, ok]) => part === 'draining' && !ok));
  }

  /** Ends at once; does nothing where it never opened. */
  async close(): Promise<void> {
    this.metrics.node.stop();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, headers } = request;
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    // Nobody reads a body here.
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
      response.setHeader('connection', 'close');
    const fault = this.#heads.faultOf(request);
    if (fault !== null) return refuse(response, fault.status, fault.message);
    if ((request.url ?? '').split('?', 1)[0] !== '/metrics') return refuse(response, 404, 'There is /metrics alone');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return refuse(response, 405, 'Method not allowed; use GET');
    }
    if (!this.#knows(headers.authorization)) {
      response.setHeader('www-authenticate', 'Bearer');
      return refuse(response, 401, 'Send the token of UMBRA_METRICS_TOKEN as Authorization: Bearer');
    }
    const format = formatOf(headers.accept);
    const page = renderMetrics(this.metrics.families(), format);
    response.setHeader('content-type', CONTENT_TYPES[format]);
    response.setHeader('vary', 'accept');
    response.setHeader('content-length', Buffer.byteLength(page));
    response.end(method === 'HEAD' ? undefined : page);
  }

  #knows(authorization: string | undefined): boolean {
    if (this.#token === null) return true;
    return timingSafeEqual(digestOf(bearerOf(authorization) ?? ''), this.#token);
  }
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** And closes the connection: whoever may not read the page keeps no place of those who may. */
function refuse(response: ServerResponse, status: number, text: string): void {
  response.setHeader('connection', 'close');
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`${text}\n`);
}
