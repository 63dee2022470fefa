import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import { bearerOf } from '../access/bearer.js';
import type { Config } from '../config/config.js';
import { MAX_HEADERS, RequestHeads } from '../http/request-head.js';
import { SERVER_OPTIONS } from '../http/server/server-options.js';
import { GoldenSignals } from '../telemetry/golden-signals.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import { CONTENT_TYPES, formatOf, renderMetrics } from '../telemetry/openmetrics.js';
import type { HealthRegistry } from './health-registry.js';
import { readMetricsToken } from './metrics-token.js';
import { REFRESH_SECONDS, STATUS_POLICY, statusPage } from './status-page.js';

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
 * `GET /metrics`, and `GET /status` for a browser, on an address apart from the doors: it answers while they are full, and
 * needs no storage.
 * Bounded in connections and in time.
 */
export class MetricsListener {
  readonly #server: Server;
  readonly #heads: RequestHeads;
  /** SHA-256 of the token; null: nobody needs one. */
  readonly #token: Buffer | null;
  readonly #signals: GoldenSignals;
  /** Null until the parts of the node are known. */
  #health: HealthRegistry | null = null;

  /** @throws ConfigError for a token that cannot be read */
  constructor(
    private readonly config: Pick<Config, 'metrics' | 'http' | 'nodeId'>,
    private readonly metrics: Metrics,
    private readonly logger: Logger,
  ) {
    const { host, token } = config.metrics;
    this.#heads = new RequestHeads([host, ...config.http.names]);
    this.#token = token === null ? null : digestOf(readMetricsToken(token));
    this.#signals = new GoldenSignals(metrics);
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
    this.#signals.start();
    const { port: opened } = this.#server.address() as AddressInfo;
    return `http://${isIPv6(host) ? `[${host}]` : host}:${opened}/metrics`;
  }

  /** Has the pages say how the parts of the node are. */
  tellOf(health: HealthRegistry): void {
    this.#health = health;
    const { ready, draining } = this.metrics.node;
    const readings = (): (readonly [string, boolean])[] =>
      Object.entries(health.report().parts).map(([part, { ok }]) => [part, ok]);
    ready.read = () => readings().map(([part, ok]) => [[part], Number(ok)]);
    draining.read = () => Number(readings().some(([part, ok]) => part === 'draining' && !ok));
  }

  /** Ends at once; does nothing where it never opened. */
  async close(): Promise<void> {
    this.metrics.node.stop();
    this.#signals.stop();
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
    const page = PAGES[(request.url ?? '').split('?', 1)[0]!];
    if (page === undefined) return refuse(response, 404, 'There are /metrics and /status');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return refuse(response, 405, 'Method not allowed; use GET');
    }
    if (!this.#knows(headers.authorization, page)) {
      response.setHeader('www-authenticate', CHALLENGES[page]);
      return refuse(response, 401, 'Send the token of UMBRA_METRICS_TOKEN as Authorization: Bearer');
    }
    const body = page === 'metrics' ? this.#metricsPage(headers.accept, response) : this.#statusPage(response);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(method === 'HEAD' ? undefined : body);
  }

  #metricsPage(accept: string | undefined, response: ServerResponse): string {
    const format = formatOf(accept);
    response.setHeader('content-type', CONTENT_TYPES[format]);
    response.setHeader('vary', 'accept');
    return renderMetrics(this.metrics.families(), format);
  }

  #statusPage(response: ServerResponse): string {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.setHeader('content-security-policy', STATUS_POLICY);
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('refresh', REFRESH_SECONDS);
    return statusPage(this.config.nodeId, this.#health?.report() ?? null, this.#signals.history());
  }

  #knows(authorization: string | undefined, page: Page): boolean {
    if (this.#token === null) return true;
    const given = (page === 'status' ? passwordOf(authorization) : null) ?? bearerOf(authorization) ?? '';
    return timingSafeEqual(digestOf(given), this.#token);
  }
}

type Page = 'metrics' | 'status';
const PAGES: Readonly<Record<string, Page | undefined>> = { '/metrics': 'metrics', '/status': 'status' };
/** A browser asks its user for a name, which may be any, and a password, which is the token. */
const CHALLENGES: Readonly<Record<Page, string>> = {
  metrics: 'Bearer',
  status: 'Basic realm="umbra", charset="UTF-8"',
};

/** The password of `Authorization: Basic` (RFC 7617); null: it is none. */
function passwordOf(authorization: string | undefined): string | null {
  const encoded = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString();
  return text.includes(':') ? text.slice(text.indexOf(':') + 1) : '';
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

/** And closes the connection: whoever may not read the page keeps no place of those who may. */
function refuse(response: ServerResponse, status: number, text: string): void {
  response.setHeader('connection', 'close');
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`${text}\n`);
}
