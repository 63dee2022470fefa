import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { upgradesOf } from './upgrades.js';

/** Turns of the loop: one accepts a connection, the next one reads what it has sent, and either may be half over. */
const TURNS = 3;

/**
 * Lets a server close although clients keep connections open. Node closes only connections that are idle after a
 * request. One that has never sent a byte would delay the shutdown for ever, because close() ends the header timeout.
 * A request whose bytes have arrived is answered: a client cannot know whether one that is cut off was carried out.
 */
export class Connections {
  /** Called when `accepted` or `count` has changed. */
  onCount: () => void = () => undefined;
  /** Connections without a request in flight, the one that has been so longest first. */
  readonly #quiet = new Set<Socket>();
  /** Upgraded connections that another door counts. The upgrade handler ends them. */
  readonly #upgraded = new Set<Duplex>();
  /** Upgraded connections with a stream of ours, which Node no longer knows. */
  readonly #streams = new Set<Duplex>();
  readonly #known = new WeakSet<Socket>();
  /** Sockets as the server accepted them, by their peer. */
  readonly #accepted = new Map<string, Socket>();
  /** The response to the last request of a connection. */
  readonly #latest = new WeakMap<Socket, ServerResponse>();
  #draining = false;

  constructor(private readonly server: Server) {
    // close() calls it. It would cut an answer that is not written out yet, and a request that is not read yet.
    server.closeIdleConnections = () => undefined;
    server.on('connection', (socket) => {
      if (!socket.destroyed) this.#accepted.set(peerOf(socket), socket);
      this.#rest(socket);
      this.onCount();
    });
    // A server with TLS emits the secure socket. The accepted socket lies below it and must not count as quiet.
    server.on('secureConnection', (socket: Socket) => {
      const below = this.#accepted.get(peerOf(socket));
      if (below) this.#quiet.delete(below);
      this.#rest(socket);
    });
    // Before the door counts it.
    const upgrades = upgradesOf(server);
    server.prependListener('upgrade', (request, socket) =>
      this.#release(socket, upgrades.isStream(request) ? this.#streams : this.#upgraded),
    );
    const rest = (socket: Socket): void => this.#rest(socket);
    const latest = this.#latest;
    // One function serves all requests; each response emits 'close' once. Others may be pipelined behind it.
    const answered = function (this: ServerResponse): void {
      if (latest.get(this.req.socket) === this) rest(this.req.socket);
    };
    server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#quiet.delete(socket);
      latest.set(socket, response);
      response.on('close', answered);
    });
  }

  /** Connections that the server has accepted. */
  get accepted(): number {
    return this.#accepted.size;
  }

  /** Connections that speak HTTP. */
  get count(): number {
    return this.#accepted.size - this.#upgraded.size;
  }

  /** Connections without a request in flight. */
  get quiet(): number {
    return this.#quiet.size;
  }

  /** Closes the connection that has been without a request longest. */
  closeQuietest(): void {
    for (const socket of this.#quiet) {
      this.#quiet.delete(socket);
      this.#accepted.delete(peerOf(socket));
      return void socket.destroy();
    }
  }

  /**
   * Cuts quiet connections when what they have sent was read, the others after their answers, and all of them after
   * `graceMs`. Resolves when the server may stop accepting.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const timer = setTimeout(() => {
      this.server.closeAllConnections();
      for (const socket of [...this.#upgraded, ...this.#streams]) socket.destroy();
    }, graceMs);
    this.server.once('close', () => clearTimeout(timer));
    await turns();
    for (const socket of this.#quiet) socket.destroy();
  }

  #release(socket: Duplex, upgraded: Set<Duplex>): void {
    this.#quiet.delete(socket as Socket);
    if (socket.destroyed) return;
    upgraded.add(socket);
    this.onCount();
  }

  #rest(socket: Socket): void {
    if (socket.destroyed) return;
    if (this.#draining) void this.#cut(socket);
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
      this.#streams.delete(socket);
      this.onCount();
    });
  }

  async #cut(socket: Socket): Promise<void> {
    await turns();
    if (this.#quiet.has(socket)) socket.destroy();
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await new Promise((resolve) => setImmediate(resolve));
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
