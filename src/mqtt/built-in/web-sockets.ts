import { STATUS_CODES, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Principal } from '../../access/principal.js';
import { ServiceError } from '../../errors/service-error.js';
import { isForeignOrigin } from '../../http/foreign-origin.js';
import { excessOf, type RequestHeads } from '../../http/request-head.js';
import type { ConnectionLimit } from './connection-limit.js';
import type { UpgradeGate } from './gates/upgrade-gate.js';
import { MESSAGE_LIMITS, watchFrames } from './web-socket-frames.js';
import { webSocketStream } from './web-socket-stream.js';

const PATH = '/mqtt';
/** The AWS device SDK v2 asks for the first, v1 for the second. */
const SUB_PROTOCOLS = ['mqtt', 'mqttv3.1'];

/** Takes a WebSocket with the request that has opened it. @param proven whom that has proven; null: nobody */
export type WebSocketTaker = (stream: Duplex, request: IncomingMessage, proven: Principal | null) => void;

/** MQTT over WebSocket at `/mqtt` (MQTT 6): upgrades of the HTTP servers become streams like any other connection. */
export class MqttWebSockets {
  readonly #server: WebSocketServer;
  #accepting = true;

  /** @param maxPacketBytes one frame may hold several packets, so it may be twice as long */
  constructor(
    maxPacketBytes: number,
    private readonly accept: WebSocketTaker,
    private readonly limit: ConnectionLimit,
    private readonly heads: RequestHeads,
    private readonly gate: UpgradeGate,
  ) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: maxPacketBytes * 2,
      ...MESSAGE_LIMITS,
      handleProtocols: (offered) => SUB_PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
    });
  }

  /** Answers upgrades to WebSocket: at `/mqtt` with one, elsewhere with 404. Other upgrades are ignored. */
  attach(server: HttpServer): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const path = request.url?.split('?', 1)[0];
      // Counted before some are left out below: a condition that Node has dropped would not be checked.
      const excess = excessOf(request);
      if (excess) refuse(socket, excess.status, excess.message);
      else if (request.headers.upgrade?.toLowerCase() !== 'websocket') withoutUpgrade(server, request, socket, head);
      else if (path === PATH) this.#upgrade(request, socket, head);
      else refuse(socket, 404);
    });
  }

  stopAccepting(): void {
    this.#accepting = false;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const closed = this.gate.closed(request);
    if (closed) return refuse(socket, closed.status, closed.message);
    if (!this.#accepting) return refuse(socket, 503);
    if (this.limit.isFull) {
      this.limit.refused();
      return refuse(socket, 503);
    }
    const fault = this.heads.faultOf(request);
    if (fault) return refuse(socket, fault.status, fault.message);
    if (isForeignOrigin(request.headers)) return refuse(socket, 403);
    // MQTT-6.0.0-3: a client must offer a sub-protocol of MQTT.
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.some((name) => SUB_PROTOCOLS.includes(name))) return refuse(socket, 400);
    const identity = this.gate.identify(request);
    if (identity instanceof ServiceError) return refuse(socket, refusalStatus(identity), identity.message);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = webSocketStream(webSocket);
      this.accept(stream, request, identity);
      watchFrames(socket, stream);
    });
  }
}

/**
 * Serves a request as if it had not asked to upgrade (RFC 9110 section 7.8): Java's HTTP client, for one, asks for h2c with
 * every first request. Node leaves all upgrades to a listener, so this hands the request to the server once more.
 */
function withoutUpgrade(server: HttpServer, request: IncomingMessage, socket: Duplex, head: Buffer): void {
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

/** Clients of AWS know 403 for whatever is wrong with a signed URL. */
function refusalStatus({ status }: ServiceError): number {
  return status >= 500 ? status : 403;
}

function refuse(socket: Duplex, status: number, text = ''): void {
  socket.on('error', () => socket.destroy());
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Type: text/plain`;
  const answer = `${head}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
  // A peer that keeps its half open must not keep ours.
  socket.end(answer, () => socket.destroy());
}
