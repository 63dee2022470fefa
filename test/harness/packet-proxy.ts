import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { freePort } from './ports.js';

/** Where to cut: at the first packet that fits, before or after it has passed. */
export interface Cut {
  readonly cmd: Packet['cmd'];
  readonly when: 'before' | 'after';
  /** Of a PUBLISH, how its topic ends. */
  readonly topicEnd?: string;
}

/** An MQTT proxy on the loopback that cuts connections at chosen packets. Whole packets pass, in their order. */
export class PacketProxy {
  /** Cuts to come, the first one first. */
  readonly cuts: Cut[] = [];
  /** While it is true, nothing passes, and connections stay open. */
  isSilent = false;
  connections = 0;
  /** What clients have sent. */
  readonly sent: Packet[] = [];
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly target: number,
    private readonly protocolVersion: 4 | 5,
  ) {}

  static async start(target: number, protocolVersion: 4 | 5 = 5): Promise<PacketProxy> {
    const server = createServer();
    const proxy = new PacketProxy(server, await freePort(), target, protocolVersion);
    server.on('connection', (client) => proxy.#accept(client));
    server.listen(proxy.port, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  get open(): number {
    return this.#sockets.size;
  }

  cutAll(): void {
    for (const socket of [...this.#sockets]) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutAll();
    this.server.close();
    await once(this.server, 'close');
  }

  #accept(client: Socket): void {
    this.connections++;
    const server = connect(this.target, '127.0.0.1');
    const pair = [client, server] as const;
    for (const socket of pair) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        for (const other of pair) other.destroy();
      });
    }
    this.#pass(client, server, (packet) => void this.sent.push(packet));
    this.#pass(server, client, () => undefined);
  }

  #pass(from: Socket, to: Socket, note: (packet: Packet) => void): void {
    const { protocolVersion } = this;
    const parser = mqttPacket.parser({ protocolVersion });
    parser.on('packet', (packet) => {
      if (this.isSilent || from.destroyed || to.destroyed) return;
      note(packet);
      const cut = this.cuts[0];
      const isHit = cut !== undefined && fits(packet, cut);
      if (isHit) this.cuts.shift();
      if (isHit && cut.when === 'before') return void from.destroy();
      to.write(mqttPacket.generate(packet, { protocolVersion }));
      // end() delivers what was written first.
      if (isHit) to.end(() => from.destroy());
    });
    from.on('data', (chunk) => parser.parse(chunk));
  }
}

const fits = (packet: Packet, { cmd, topicEnd }: Cut): boolean =>
  packet.cmd === cmd && (topicEnd === undefined || (packet.cmd === 'publish' && packet.topic.endsWith(topicEnd)));
