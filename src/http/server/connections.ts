import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Lets a server close although clients keep connections open. Node closes only connections that are idle after a
 * request. One that has never sent a byte would delay the shutdown for ever, because close() ends the header timeout.
 */
export class Connections {
  /** Connections without a request in flight. */
  readonly #quiet = new Set<Socket>();
  /** Upgraded connections. The upgrade handler ends them. */
  readonly #upgraded = new Set<Duplex>();
  readonly #known = new WeakSet<Socket>();
  /** Sockets as the server accepted them, by their peer. */
  readonly #accepted = new Map<string, Socket>();
  #draining = false;

  constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.#rest(socket);
      this.#accepted.set(peerOf(socket), socket);
    });
    // A server with TLS emits the secure socket. The accepted socket lies below it and must not count as quiet.
    server.on('secureConnection', (socket: Socket) => {
      const below = this.#accepted.get(peerOf(socket));
      if (below) this.#quiet.delete(below);
      this.#rest(socket);
    });
    // A listener makes Node leave every upgrade to it, so this one is added only to a server that has another.
    if (server.listenerCount('upgrade') > 0) server.prependListener('upgrade', (_, socket) => this.#release(socket));
    const rest = (socket: Socket): void => this.#rest(socket);
    // One function serves all requests; each response emits 'close' once.
    const answered = function (this: ServerResponse): void {
      rest(this.req.socket);
    };
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#quiet.delete(socket);
      response.on('close', answered);
    });
  }

  /** Cuts quiet connections now, the others after their answers, and all of them after `graceMs`. */
  drain(graceMs: number): void {
    this.#draining = true;
    for (const socket of this.#quiet) socket.destroy();
    const timer = setTimeout(() => {
      this.server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    }, graceMs);
    this.server.once('close', () => clearTimeout(timer));
  }

  #release(socket: Duplex): void {
    this.#quiet.delete(socket as Socket);
    if (!socket.destroyed) this.#upgraded.add(socket);
  }

  #rest(socket: Socket): void {
    if (socket.destroyed) return;
    if (this.#draining) return void socket.destroy();
    // An ignored upgrade returns its connection.
    this.#upgraded.delete(socket);
    this.#quiet.add(socket);
    // Listens once per socket, although the socket rests after every request.
    if (this.#known.has(socket)) return;
    this.#known.add(socket);
    const peer = peerOf(socket);
    socket.once('close', () => {
      if (this.#accepted.get(peer) === socket) this.#accepted.delete(peer);
      this.#quiet.delete(socket);
      this.#upgraded.delete(socket);
    });
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
