import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Lets a server close although clients keep connections open. Node closes only those that are idle after a request;
 * one that has never sent a byte would hold up the shutdown for ever, since the header timeout ends with close().
 */
export class Connections {
  /** Those without a request in flight; also those that were upgraded, whose door has been closed before. */
  readonly #quiet = new Set<Socket>();
  readonly #known = new WeakSet<Socket>();
  #draining = false;

  constructor(private readonly server: Server) {
    server.on('connection', (socket) => this.rest(socket));
    // A server with TLS hands out the secure socket, not the one that was accepted.
    server.on('secureConnection', (socket: Socket) => this.rest(socket));
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#quiet.delete(socket);
      response.once('close', () => this.rest(socket));
    });
  }

  /** Cuts what is quiet now, the rest as its answers are out, and everything after `graceMs`. */
  drain(graceMs: number): void {
    this.#draining = true;
    for (const socket of this.#quiet) socket.destroy();
    const timer = setTimeout(() => this.server.closeAllConnections(), graceMs);
    this.server.once('close', () => clearTimeout(timer));
  }

  private rest(socket: Socket): void {
    if (socket.destroyed) return;
    if (this.#draining) return void socket.destroy();
    if (this.#quiet.has(socket)) return;
    this.#quiet.add(socket);
    // Once per socket, although it rests after every request.
    if (!this.#known.has(socket)) {
      this.#known.add(socket);
      socket.once('close', () => this.#quiet.delete(socket));
    }
  }
}
