import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Lets a server close although clients keep connections open. Node closes only those that are idle after a request;
 * one that has never sent a byte would hold up the shutdown for ever, since the header timeout ends with close().
 */
export class Connections {
  /** Those without a request in flight. */
  readonly #quiet = new Set<Socket>();
  /** Those that were upgraded: whoever took them over ends them. */
  readonly #upgraded = new Set<Duplex>();
  readonly #known = new WeakSet<Socket>();
  /** As they were accepted, by their peer. */
  readonly #accepted = new Map<string, Socket>();
  #draining = false;

  constructor(private readonly server: Server) {
    server.on('connection', (socket) => {
      this.#rest(socket);
      this.#accepted.set(peerOf(socket), socket);
    });
    // A server with TLS hands out the secure socket; the one that was accepted lies below and is not quiet by itself.
    server.on('secureConnection', (socket: Socket) => {
      const below = this.#accepted.get(peerOf(socket));
      if (below) this.#quiet.delete(below);
      this.#rest(socket);
    });
    // With a listener Node leaves upgrades to it, so only where somebody else has one.
    if (server.listenerCount('upgrade') > 0) server.prependListener('upgrade', (_, socket) => this.#release(socket));
    const rest = (socket: Socket): void => this.#rest(socket);
    // One function for all requests; 'close' comes once.
    const answered = function (this: ServerResponse): void {
      rest(this.req.socket);
    };
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#quiet.delete(socket);
      response.on('close', answered);
    });
  }

  /** Cuts what is quiet now, the rest as its answers are out, and everything after `graceMs`. */
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
    // An upgrade that was ignored gives the connection back.
    this.#upgraded.delete(socket);
    this.#quiet.add(socket);
    // Once per socket, although it rests after every request.
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
