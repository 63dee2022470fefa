import { STATUS_CODES, type IncomingMessage, type Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, WebSocketServer } from 'ws';

const PATH = '/mqtt';
/** The v2 SDK asks for the first, the v1 SDK for the second (CLIENTS, Also used in the field). */
const SUB_PROTOCOLS = ['mqtt', 'mqttv3.1'];

/** MQTT over WebSocket at `/mqtt` (MQTT 6): upgrades of the HTTP servers become streams like any other connection. */
export class MqttWebSockets {
  readonly #server: WebSocketServer;
  #accepting = true;

  /** @param maxPacketBytes one frame may hold several packets, so it may be twice as long */
  constructor(
    maxPacketBytes: number,
    private readonly accept: (stream: Duplex, request: IncomingMessage) => void,
  ) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxPacketBytes * 2,
      handleProtocols: (offered) => SUB_PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
    });
  }

  /** Answers upgrades to `/mqtt`; other paths get 404 unless somebody else listens for upgrades. */
  attach(server: HttpServer): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const path = request.url?.split('?', 1)[0];
      if (path === PATH) this.upgrade(request, socket, head);
      else if (server.listenerCount('upgrade') === 1) refuse(socket, 404);
    });
  }

  stopAccepting(): void {
    this.#accepting = false;
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!this.#accepting) return refuse(socket, 503);
    // MQTT-6.0.0-3: a client must offer a sub-protocol of MQTT.
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.some((name) => SUB_PROTOCOLS.includes(name))) return refuse(socket, 400);
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.accept(createWebSocketStream(webSocket), request);
    });
  }
}

function refuse(socket: Duplex, status: number): void {
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
