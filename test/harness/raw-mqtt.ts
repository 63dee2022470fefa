import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Decoder, type Event } from '../conformance/decode.js';
import { connect as connectPacket, encode, PINGREQ, type ConnectOptions, type Shape, type Version } from '../conformance/wire.js'; // prettier-ignore
import { until } from './until.js';

type Kind = Event['kind'];

/** An MQTT client that sends what no library would, and reads strictly what it is sent. */
export class RawMqtt {
  readonly events: Event[] = [];
  closed = false;
  received = 0;

  private constructor(
    readonly socket: Socket,
    version: Version,
  ) {
    const decoder = new Decoder(version, (event) => this.events.push(event));
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.length;
      decoder.push(chunk);
    });
    socket.on('close', () => (this.closed = true));
    // A reset is one way of being closed.
    socket.on('error', () => undefined);
  }

  /** A TCP connection that has said nothing yet. */
  static async open(port: number, version: Version = 5): Promise<RawMqtt> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawMqtt(socket, version);
  }

  /** A client that was accepted. */
  static async connect(
    port: number,
    options: Partial<ConnectOptions> & { readonly clientId: string },
  ): Promise<RawMqtt> {
    const raw = await RawMqtt.open(port, options.version ?? 5);
    raw.send(connectPacket({ version: 5, clean: true, ...options }));
    const connack = await raw.next('connack');
    if (connack.kind !== 'connack' || connack.code !== 0) throw new Error(`refused: ${JSON.stringify(connack)}`);
    return raw;
  }

  send(...packets: readonly (Shape | Buffer)[]): this {
    this.socket.write(Buffer.concat(packets.map((one) => (Buffer.isBuffer(one) ? one : encode(one)))));
    return this;
  }

  /** Resolves when the system has taken the bytes, or the connection is over. */
  async pour(bytes: Buffer): Promise<void> {
    if (this.closed || this.socket.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done);
        this.socket.off('close', done);
        resolve();
      };
      this.socket.on('drain', done);
      this.socket.on('close', done);
    });
  }

  /** The first event of a kind, past or to come. */
  next<K extends Kind>(kind: K): Promise<Extract<Event, { kind: K }>> {
    return until(
      () => `${kind}; got ${this.shown()}, closed: ${this.closed}`,
      () => this.events.find((one) => one.kind === kind) as Extract<Event, { kind: K }> | undefined,
    ) as Promise<Extract<Event, { kind: K }>>;
  }

  /** Waits until the node has ended the connection. */
  async ended(): Promise<void> {
    await until(() => `the end; got ${this.shown()}`, () => this.closed); // prettier-ignore
  }

  /** The reason of the DISCONNECT or of the CONNACK with which the node ended the connection; null without one. */
  async endReason(): Promise<number | null> {
    await this.ended();
    const last = this.events.at(-1);
    return last?.kind === 'disconnect' || last?.kind === 'connack' ? last.code : null;
  }

  /** Whether the node still answers. */
  async answers(): Promise<boolean> {
    if (this.closed) return false;
    const before = this.#pings();
    this.send(PINGREQ);
    await until('an answer, or the end', () => this.closed || this.#pings() > before);
    return !this.closed;
  }

  /** Reads nothing any more, so that the node cannot write either. */
  stopReading(): this {
    this.socket.pause();
    return this;
  }

  shown(): string {
    return this.events.slice(-5).map((one) => JSON.stringify(one).slice(0, 80)).join(' '); // prettier-ignore
  }

  end(): void {
    this.socket.destroy();
  }

  #pings(): number {
    return this.events.filter(({ kind }) => kind === 'pingresp').length;
  }
}
