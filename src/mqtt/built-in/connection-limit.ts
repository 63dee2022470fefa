import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { CountedLine } from '../../telemetry/counted-line.js';
import type { Logger } from '../../telemetry/logger.js';

/** Connections beyond the limit that are taken only to be refused in a CONNACK; more are closed at once. */
const REFUSING = 32;

/**
 * Counts the MQTT connections of all listeners. A connection beyond `max` is refused in its CONNACK; when REFUSING of those
 * are open, the operating system's connection is closed before a byte of it is read. WebSockets, whose servers are not
 * watched, count too: `max` and REFUSING bound the descriptors of all of them together.
 */
export class ConnectionLimit {
  readonly #servers = new Map<Server, number>();
  #open = 0;
  #admitted = 0;
  readonly #refusals: CountedLine;

  constructor(
    readonly max: number,
    logger: Logger,
  ) {
    this.#refusals = new CountedLine((refused) => {
      const counts = { refused, connections: this.#admitted, maxConnections: this.max };
      logger.warn({ ...counts, reason: 'too-many-connections' }, 'MQTT connections refused');
    });
  }

  /** Whether there is no room for one more connection, which is not counted yet. */
  get isFull(): boolean {
    return this.#admitted >= this.max || this.#open >= this.max + REFUSING;
  }

  /**
   * Bounds the connections of a listener, from before a TLS handshake on. Whoever moves them to other sockets, so that
   * they count as closed for the listener, calls `opened` for each.
   */
  watch(server: Server, areMoved: boolean): void {
    this.#servers.set(server, 0);
    this.#fit();
    server.on('drop', () => this.refused());
    if (!areMoved) server.on('connection', (socket: Socket) => this.opened(socket, server));
  }

  /** Counts a connection until it closes. @param server what counts it too; null: nothing else does */
  opened(socket: Socket, server: Server | null): void {
    this.#count(server, 1);
    socket.once('close', () => this.#count(server, -1));
  }

  /**
   * Whether a connection is within the limit. It counts until its stream closes.
   * @param isWatched whether it came through a watched server, which has counted it as open
   */
  admit(stream: Duplex, isWatched: boolean): boolean {
    if (this.#admitted >= this.max) {
      this.refused();
      return false;
    }
    this.#admit(1, isWatched);
    stream.once('close', () => this.#admit(-1, isWatched));
    return true;
  }

  /** Counts one refused connection for the log. */
  refused(): void {
    this.#refusals.add();
  }

  stop(): void {
    this.#refusals.stop();
  }

  #admit(by: 1 | -1, isWatched: boolean): void {
    this.#admitted += by;
    if (isWatched) return;
    this.#open += by;
    this.#fit();
  }

  #count(server: Server | null, by: 1 | -1): void {
    this.#open += by;
    if (server !== null) this.#servers.set(server, (this.#servers.get(server) ?? 0) + by);
    this.#fit();
  }

  /** Node compares each listener with a number of its own; 0 would mean no limit. */
  #fit(): void {
    const room = Math.max(0, this.max + REFUSING - this.#open);
    for (const [server, own] of this.#servers) server.maxConnections = own + room || -1;
  }
}
