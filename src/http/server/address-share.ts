import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { NetworkCounts } from '../../access/network-counts.js';
import { networkOf } from '../../access/network-of.js';
import { CountedLine } from '../../telemetry/counted-line.js';
import type { Logger } from '../../telemetry/logger.js';

/**
 * Bounds the connections that one network has to all HTTP servers together: streams that are open never give way to new
 * connections. Those beyond it are closed before a byte of them is read. WebSockets count here and among those of MQTT.
 */
export class AddressShare {
  readonly #open = new NetworkCounts();
  readonly #refusals: CountedLine;

  /** @param max connections of one network; 0: any number, and none is counted */
  constructor(
    private readonly max: number,
    logger: Logger,
  ) {
    this.#refusals = new CountedLine((refused) => {
      logger.warn(
        { refused, ofAddress: max, reason: 'too-many-of-address' },
        'HTTP connections of one address refused',
      );
    });
  }

  /** To be called before others listen for connections: they must not count one that is refused. */
  watch(server: Server): void {
    if (this.max > 0) server.on('connection', (socket) => this.#take(socket));
  }

  stop(): void {
    this.#refusals.stop();
  }

  #take(socket: Socket): void {
    const network = networkOf(socket.remoteAddress ?? '');
    if (this.#open.of(network) >= this.max) {
      this.#refusals.add();
      socket.destroy();
      return;
    }
    this.#open.entered(network);
    socket.once('close', () => this.#open.left(network));
  }
}
