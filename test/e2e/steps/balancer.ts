import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../harness/ports.js';

/** A TCP load balancer that gives each new connection to the next node, and cuts connections when told. */
export class Balancer {
  readonly #sockets = new Set<Socket>();
  /** Connections that each target was given. */
  readonly given: number[];
  #next = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly targets: readonly number[],
  ) {
    this.given = targets.map(() => 0);
  }

  static async start(...targets: number[]): Promise<Balancer> {
    const server = createServer();
    const port = await freePort();
    const balancer = new Balancer(server, port, targets);
    server.on('connection', (socket) => balancer.#accept(socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return balancer;
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutAll();
    this.server.close();
    await once(this.server, 'close');
  }

  #accept(client: Socket): void {
    const index = this.#next++ % this.targets.length;
    this.given[index] = (this.given[index] ?? 0) + 1;
    const server = connect(this.targets[index] ?? 0, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
