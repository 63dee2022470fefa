import { connect as connectTcp, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { until } from './until.js';

export type Level = 4 | 5;
/** A packet as mqtt-packet reads it. */
export type Answer = mqttPacket.Packet & Record<string, unknown>;

/** A packet as mqtt-packet encodes it. */
type Outgoing = { readonly cmd: mqttPacket.PacketCmd } & Record<string, unknown>;
type Generated = Parameters<typeof mqttPacket.generate>[0];

/** Everything that a test says of a CONNECT, but for what is always the same. */
export type ConnectOptions = Partial<Omit<mqttPacket.IConnectPacket, 'cmd' | 'protocolId' | 'protocolVersion'>>;

/** A client that sends whatever it is told and does nothing by itself: it acknowledges nothing, and sends no PINGREQ. */
export class RawMqttClient {
  readonly answers: Answer[] = [];
  /** Everything that came. */
  bytes: Buffer = Buffer.alloc(0);
  closed = false;
  readonly #socket: Socket;

  constructor(
    port: number,
    readonly level: Level,
  ) {
    const parser = mqttPacket.parser({ protocolVersion: level });
    parser.on('packet', (packet) => this.answers.push(packet as Answer));
    this.#socket = connectTcp(port, '127.0.0.1');
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => (this.closed = true));
    this.#socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      parser.parse(chunk);
    });
  }

  /** Sends a CONNECT and waits for its CONNACK. */
  async connect(options: ConnectOptions = {}): Promise<void> {
    this.send(this.connectPacket(options));
    await this.next('connack');
  }

  connectPacket(options: ConnectOptions = {}): Buffer {
    return this.encode({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.level,
      clean: true,
      ...named(options),
    });
  }

  encode(packet: Outgoing): Buffer {
    return mqttPacket.generate(packet as unknown as Generated, { protocolVersion: this.level });
  }

  send(...packets: readonly (Buffer | Outgoing)[]): void {
    this.#socket.write(Buffer.concat(packets.map((one) => (Buffer.isBuffer(one) ? one : this.encode(one)))));
  }

  publish(topic: string, body: unknown = '', more: Record<string, unknown> = {}): void {
    const payload = typeof body === 'string' ? body : JSON.stringify(body);
    this.send({ cmd: 'publish', topic, payload, qos: 1, messageId: 1, dup: false, retain: false, ...more });
  }

  async subscribe(topics: string | readonly string[], more: Record<string, unknown> = {}): Promise<Answer> {
    const { properties, messageId = 1, ...options } = more;
    const subscriptions = [topics].flat().map((topic) => ({ topic, qos: 1, ...options }));
    const before = this.all('suback').length;
    this.send({
      cmd: 'subscribe',
      messageId: messageId as number,
      subscriptions,
      ...(properties ? { properties } : {}),
    });
    return this.next('suback', before + 1);
  }

  all(cmd: mqttPacket.PacketCmd): Answer[] {
    return this.answers.filter((answer) => answer.cmd === cmd);
  }

  /** The `count`th packet of this type, when it is there. */
  async next(cmd: mqttPacket.PacketCmd, count = 1): Promise<Answer> {
    const what = (): string => `${cmd} ${count}, but ${this.answers.map((answer) => answer.cmd).join(', ')}`;
    await until(what, () => this.all(cmd).length >= count || this.closed);
    const answer = this.all(cmd)[count - 1];
    if (answer === undefined) throw new Error(`closed without ${what()}`);
    return answer;
  }

  /** Everything that was sent before is answered: an answer to PINGREQ comes behind it. */
  async settled(): Promise<void> {
    const before = this.all('pingresp').length;
    this.send({ cmd: 'pingreq' });
    await this.next('pingresp', before + 1);
  }

  async ended(): Promise<void> {
    await until('the end of the connection', () => this.closed);
  }

  /** Breaks the connection without a DISCONNECT. */
  async breakOff(): Promise<void> {
    this.#socket.destroy();
    await this.ended();
  }
}

let clients = 0;

function named(options: ConnectOptions): ConnectOptions & { clientId: string } {
  return { clientId: `raw-${++clients}`, ...options };
}
