import type { Server, Socket } from 'node:net';
import { NetworkCounts } from '../access/network-counts.js';
import { networkOf } from '../access/network-of.js';
import { CountedLine } from '../telemetry/counted-line.js';
import type { GrpcListener } from '../access/route-guard.js';
import type { Logger } from '../telemetry/logger.js';
import { keptCertificateOf } from '../tls/peer-certificate.js';

export interface ConnectionBounds {
  /** Connections at once. */
  readonly max: number;
  /** Connections of one network; 0: any number. */
  readonly ofNetwork: number;
}

/** By what a call tells its connection. */
export interface Ends {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** One connection, and the calls on it whose callers are known. */
export class GrpcConnection {
  calls = 0;
  /** Whether it counts no more: it has closed, or given way. */
  hasLeft = false;
  #stream: Socket;

  constructor(
    private readonly accepted: Socket,
    readonly name: string,
    readonly network: string,
  ) {
    this.#stream = accepted;
  }

  /** The connection above the accepted one, where TLS lies between. */
  secured(stream: Socket): void {
    this.#stream = stream;
  }

  get listener(): GrpcListener {
    return this.#stream === this.accepted ? 'grpc' : 'grpcs';
  }

  /** DER of the certificate that the peer has shown, the same object for each call; null: none. No errors. */
  get certificate(): Buffer | null {
    return keptCertificateOf(this.#stream);
  }

  destroy(): void {
    this.accepted.destroy();
  }
}

/**
 * Bounds the gRPC connections of all listeners together, and those of one network. While a connection has no call of a
 * caller who is known, the one that has been so longest gives way: clients that only hold connections, or calls that
 * need no credentials, keep nobody out. A new one is closed before a byte of it is read where all are in use.
 */
export class GrpcConnections {
  readonly #all = new Set<GrpcConnection>();
  /** For calls, which know no more of their connection. */
  readonly #byEnds = new Map<string, GrpcConnection>();
  readonly #quiet = new Set<GrpcConnection>();
  readonly #networks = new NetworkCounts();
  readonly #refused: CountedLine;
  readonly #displaced: CountedLine;

  constructor(
    private readonly bounds: ConnectionBounds,
    logger: Logger,
  ) {
    this.#refused = new CountedLine((refused) => logger.warn({ ...bounds, refused }, 'gRPC connections refused'));
    this.#displaced = new CountedLine((closed) => logger.info({ ...bounds, closed }, 'idle gRPC connections closed for new ones')); // prettier-ignore
  }

  get count(): number {
    return this.#all.size;
  }

  /** To be called before the server listens. */
  watch(server: Server): void {
    server.on('connection', (socket) => this.#take(socket));
    server.on('secureConnection', (socket: Socket) => this.of(socket)?.secured(socket));
  }

  /** The connection of a call; undefined: it has closed. */
  of(ends: Ends): GrpcConnection | undefined {
    return this.#byEnds.get(nameOf(ends));
  }

  /** Counts a call of a caller who is known, until the returned function is called, once. */
  enter(connection: GrpcConnection): () => void {
    connection.calls++;
    this.#quiet.delete(connection);
    return () => {
      if (--connection.calls === 0 && !connection.hasLeft) this.#quiet.add(connection);
    };
  }

  stop(): void {
    this.#refused.stop();
    this.#displaced.stop();
  }

  destroyAll(): void {
    for (const connection of this.#all) connection.destroy();
  }

  #take(socket: Socket): void {
    const { remoteAddress } = socket;
    // It was reset before it was accepted, and may have no end to be noticed by.
    if (remoteAddress === undefined) return void socket.destroy();
    const network = networkOf(remoteAddress);
    const { max, ofNetwork } = this.bounds;
    const isShareUsed = ofNetwork > 0 && this.#networks.of(network) >= ofNetwork;
    if (isShareUsed || (this.count >= max && !this.#makeRoom())) {
      this.#refused.add();
      socket.destroy();
      return;
    }
    const connection = new GrpcConnection(socket, nameOf(socket), network);
    this.#all.add(connection);
    this.#byEnds.set(connection.name, connection);
    this.#quiet.add(connection);
    this.#networks.entered(network);
    socket.once('close', () => this.#leave(connection));
  }

  #makeRoom(): boolean {
    for (const connection of this.#quiet) {
      this.#displaced.add();
      this.#leave(connection);
      connection.destroy();
      return true;
    }
    return false;
  }

  /** At its end, or before where it gives way. */
  #leave(connection: GrpcConnection): void {
    if (connection.hasLeft) return;
    connection.hasLeft = true;
    this.#all.delete(connection);
    // A new one may have the same ends before the close of this one is told.
    if (this.#byEnds.get(connection.name) === connection) this.#byEnds.delete(connection.name);
    this.#quiet.delete(connection);
    this.#networks.left(connection.network);
  }
}

const nameOf = ({ localAddress, localPort, remoteAddress, remotePort }: Ends): string =>
  `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
