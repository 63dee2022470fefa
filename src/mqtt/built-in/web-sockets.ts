import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Principal } from '../../access/principal.js';
import { ServiceError } from '../../errors/service-error.js';
import { isForeignOrigin } from '../../http/foreign-origin.js';
import type { RequestHeads } from '../../http/request-head.js';
import { refuseUpgrade, upgradesOf } from '../../http/server/upgrades.js';
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

  /** Takes the WebSockets at `/mqtt`. */
  attach(server: HttpServer): void {
    upgradesOf(server).take(PATH, (request, socket, head) => this.#upgrade(request, socket, head));
  }

  stopAccepting(): void {
    this.#accepting = false;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const closed = this.gate.closed(request);
    if (closed) return refuseUpgrade(socket, closed.status, closed.message);
    if (!this.#accepting) return refuseUpgrade(socket, 503);
    if (this.limit.isFull) {
      this.limit.refused();
      return refuseUpgrade(socket, 503);
    }
    const fault = this.heads.faultOf(request);
    if (fault) return refuseUpgrade(socket, fault.status, fault.message);
    if (isForeignOrigin(request.headers)) return refuseUpgrade(socket, 403);
    // MQTT-6.0.0-3: a client must offer a sub-protocol of MQTT.
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.some((name) => SUB_PROTOCOLS.includes(name))) return refuseUpgrade(socket, 400);
    const identity = this.gate.identify(request);
    if (identity instanceof ServiceError) return refuseUpgrade(socket, refusalStatus(identity), identity.message);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const stream = webSocketStream(webSocket);
      this.accept(stream, request, identity);
      watchFrames(socket, stream);
    });
  }
}

/** Clients of AWS know 403 for whatever is wrong with a signed URL. */
function refusalStatus({ status }: ServiceError): number {
  return status >= 500 ? status : 403;
}
