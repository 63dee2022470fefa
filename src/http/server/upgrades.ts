import { ServerResponse, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { ServiceError } from '../../errors/service-error.js';
import { isForeignOrigin } from '../foreign-origin.js';
import { excessOf, hasBody } from '../request-head.js';
import { proveBySubProtocol } from './sub-protocols.js';

/** Takes the connection of a request that asks for a WebSocket. */
export type UpgradeTaker = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** A request that may become a WebSocket: until then it is served like every other. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What the client has sent behind its request. */
  readonly head: Buffer;
}

const upgrades = new WeakMap<Server, Upgrades>();
const asked = new WeakMap<IncomingMessage, Upgrade>();

/** The upgrades of a server: it has one listener for all of them. */
export function upgradesOf(server: Server): Upgrades {
  let found = upgrades.get(server);
  if (found === undefined) upgrades.set(server, (found = new Upgrades(server)));
  return found;
}

/** What a handler opens a WebSocket with; null: its request has not asked for one. No errors. */
export const upgradeOf = (request: IncomingMessage): Upgrade | null => asked.get(request) ?? null;

/**
 * Node leaves every upgrade of a server to its listener. One to WebSocket is taken at the paths of a door that speaks
 * another protocol over it, is a request for a route that also sends its stream over a WebSocket, and is refused
 * elsewhere. Upgrades to other protocols are ignored.
 */
export class Upgrades {
  readonly #takers = new Map<string, UpgradeTaker>();
  #streams: readonly RegExp[] = [];

  constructor(private readonly server: Server) {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Counted before some are left out below: a condition that Node has dropped would not be checked.
      const excess = excessOf(request);
      const taker = this.#takers.get(pathOf(request));
      if (excess) refuseUpgrade(socket, excess.status, excess.message);
      else if (!isWebSocket(request)) withoutUpgrade(server, request, socket, head);
      else if (taker) taker(request, socket, head);
      else if (this.isStream(request)) this.#serve(request, socket, head);
      else refuseUpgrade(socket, 404);
    });
  }

  /** From here on the taker has the WebSockets at this path. */
  take(path: string, taker: UpgradeTaker): void {
    this.#takers.set(path, taker);
  }

  /** From here on requests for WebSockets at these paths go to their routes. */
  serve(streams: readonly RegExp[]): void {
    this.#streams = streams;
  }

  /** Whether the connection stays one of HTTP: it counts there, whatever it carries. No errors. */
  isStream(request: IncomingMessage): boolean {
    const path = pathOf(request);
    return isWebSocket(request) && !this.#takers.has(path) && this.#streams.some((pattern) => pattern.test(path));
  }

  /** Every hook sees the request: its head, its caller, its limits. Errors are answered as those of every route. */
  #serve(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Node has taken its own listener away.
    socket.on('error', () => socket.destroy());
    const fault = faultOf(request) ?? proveBySubProtocol(request);
    if (fault) return refuseUpgrade(socket, fault.status, fault.message);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    // A refusal is the last answer of the connection, since nobody reads its requests any more.
    response.once('finish', () => (socket as Duplex & { destroySoon(): void }).destroySoon());
    try {
      response.assignSocket(request.socket);
    } catch {
      // The request before it has no answer yet, which a client must wait for.
      return void socket.destroy();
    }
    asked.set(request, { request, socket, head });
    this.server.emit('request', request, response);
  }
}

/** RFC 6455 section 4.2.1. A browser opens WebSockets for every page, and lets it read them (section 10.2). */
function faultOf(request: IncomingMessage): ServiceError | null {
  const { method, headers } = request;
  const version = headers['sec-websocket-version'];
  if (isForeignOrigin(headers)) return new ServiceError('forbidden');
  if (method !== 'GET') return new ServiceError('invalidRequest', 'A WebSocket is opened by GET');
  if (hasBody(request)) return new ServiceError('invalidRequest', 'A request for a WebSocket has no body');
  if (version !== '13') return new ServiceError('invalidRequest', 'Sec-WebSocket-Version must be 13');
  if (/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? '')) return null;
  return new ServiceError('invalidRequest', 'Sec-WebSocket-Key must be 16 bytes in base64');
}

const isWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket';

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';

/**
 * Serves a request as if it had not asked to upgrade (RFC 9110 section 7.8): Java's HTTP client, for one, asks for h2c with
 * every first request. Node leaves all upgrades to a listener, so this hands the request to the server once more.
 */
function withoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    const value = rawHeaders[i + 1] ?? '';
    const lower = name.toLowerCase();
    if (lower === 'connection')
      lines.push(`${name}: ${/(?:^|,)\s*close\s*(?:,|$)/i.test(value) ? 'close' : 'keep-alive'}`);
    else if (lower !== 'upgrade' && lower !== 'http2-settings') lines.push(`${name}: ${value}`);
  }
  // The server listens to it anew.
  socket.removeAllListeners('timeout');
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('encrypted' in socket ? 'secureConnection' : 'connection', socket);
}

/** Answers an upgrade with an error, and ends its connection. No errors. */
export function refuseUpgrade(socket: Duplex, status: number, text = ''): void {
  socket.on('error', () => socket.destroy());
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: text/plain`;
  const answer = `${head}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  // A peer that keeps its half open must not keep ours.
  socket.end(answer, () => socket.destroy());
}
