import type { Server } from 'node:http';
import { CountedLine } from '../../telemetry/counted-line.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Connections } from './connections.js';

interface Watched {
  readonly server: Server;
  readonly connections: Connections;
}

/**
 * Bounds the HTTP connections of all servers together, so that descriptors are left for MQTT, etcd and files. While a
 * connection without a request is there, the one that has been so longest gives way: clients that only hold connections
 * keep nobody out. Where all are in use, a new one is closed before a byte of it is read. A WebSocket is a connection of
 * MQTT, whose own limit counts it.
 */
export class ConnectionLimit {
  readonly #watched: Watched[] = [];
  readonly #refusals: CountedLine;
  readonly #displaced: CountedLine;

  constructor(
    private readonly max: number,
    logger: Logger,
  ) {
    const line = (level: 'warn' | 'info', field: string, text: string): CountedLine =>
      new CountedLine((count) => {
        const counts = { [field]: count, connections: this.#count(), maxConnections: max };
        logger[level]({ ...counts, reason: 'too-many-connections' }, text);
      });
    this.#refusals = line('warn', 'refused', 'HTTP connections refused');
    this.#displaced = line('info', 'closed', 'idle HTTP connections closed for new ones');
  }

  watch(server: Server, connections: Connections): void {
    this.#watched.push({ server, connections });
    server.on('drop', () => this.#refusals.add());
    connections.onCount = () => this.#fit();
    this.#fit();
  }

  stop(): void {
    this.#refusals.stop();
    this.#displaced.stop();
  }

  #count(): number {
    return this.#watched.reduce((sum, { connections }) => sum + connections.count, 0);
  }

  /** Node compares each server with a number of its own, in which WebSockets count. */
  #fit(): void {
    if (this.#count() > this.max) this.#makeRoom();
    const room = Math.max(0, this.max - this.#count());
    // One more is accepted, and somebody gives way to it.
    for (const { server, connections } of this.#watched) server.maxConnections = connections.accepted + room + 1;
  }

  #makeRoom(): void {
    const quiet = this.#watched.map(({ connections }) => connections).sort((a, b) => b.quiet - a.quiet);
    const total = quiet.reduce((sum, each) => sum + each.quiet, 0);
    // The new one is quiet too. Where it is the only one it has nobody to displace.
    if (total > 1) this.#displaced.add();
    else if (total === 1) this.#refusals.add();
    quiet[0]?.closeQuietest();
  }
}
