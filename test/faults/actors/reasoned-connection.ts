import { connect, type Socket } from 'node:net';
import { generate, parser, type Packet } from 'mqtt-packet';

/** MQTT 5. */
const OPTIONS = { protocolVersion: 5 } as const;
/** Milliseconds for the TCP connection and the CONNACK. */
const CONNECT_MS = 4_000;

export interface ReasonedOptions {
  readonly port: number;
  readonly clientId: string;
  /** Null: none is sent. */
  readonly password: string | null;
}

/** Null: there was none. */
type Reason = number | null;

/** One MQTT 5 connection that tells every reason code it gets, and does nothing by itself. */
export class ReasonedConnection {
  /** Of the CONNACK; null: there was none. */
  connack: Reason = null;
  /** Of a DISCONNECT. */
  disconnect: Reason = null;
  #isOpen = true;
  #next = 0;
  readonly #waiting = new Map<number, (reason: Reason) => void>();

  private constructor(private readonly socket: Socket) {}

  /** Resolves when there is a CONNACK, or none will come. Never rejects. */
  static async open({ port, clientId, password }: ReasonedOptions): Promise<ReasonedConnection> {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    const connection = new ReasonedConnection(socket);
    const credentials = password === null ? {} : { username: 'lab', password: Buffer.from(password) };
    const answer = connection.#answer(0, CONNECT_MS);
    connection.#listen();
    const packet = {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId,
      clean: true,
      keepalive: 0,
    } as const;
    socket.write(generate({ ...packet, ...credentials }, OPTIONS));
    connection.connack = await answer;
    if (connection.connack !== 0) connection.close();
    return connection;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Reason of the PUBACK; null: none within the time. QoS 1. */
  publish(topic: string, payload: string, limitMs: number): Promise<Reason> {
    const messageId = this.#id();
    const answer = this.#answer(messageId, limitMs);
    this.#write({ cmd: 'publish', topic, payload, messageId, qos: 1, dup: false, retain: false });
    return answer;
  }

  /** Reason of the SUBACK; null: none within the time. */
  subscribe(topic: string, limitMs: number): Promise<Reason> {
    const messageId = this.#id();
    const answer = this.#answer(messageId, limitMs);
    this.#write({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1 }] });
    return answer;
  }

  close(): void {
    this.socket.destroy();
    this.#ended();
  }

  #listen(): void {
    const packets = parser(OPTIONS);
    packets.on('packet', (packet: Packet) => this.#packet(packet));
    packets.on('error', () => this.close());
    this.socket.on('data', (chunk) => void packets.parse(chunk));
    this.socket.on('error', () => this.#ended());
    this.socket.on('close', () => this.#ended());
  }

  #packet(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack':
        return this.#settle(0, packet.reasonCode ?? packet.returnCode ?? 0);
      case 'puback':
        return this.#settle(packet.messageId ?? 0, packet.reasonCode ?? 0);
      case 'suback':
        return this.#settle(packet.messageId ?? 0, Number(packet.granted[0]));
      case 'disconnect':
        this.disconnect = packet.reasonCode ?? 0;
    }
  }

  #answer(id: number, limitMs: number): Promise<Reason> {
    if (!this.#isOpen) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(id, null), limitMs);
      this.#waiting.set(id, (reason) => {
        clearTimeout(timer);
        resolve(reason);
      });
    });
  }

  #settle(id: number, reason: Reason): void {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.(reason);
  }

  #ended(): void {
    this.#isOpen = false;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, null);
  }

  #write(packet: Packet): void {
    if (this.#isOpen) this.socket.write(generate(packet, OPTIONS));
  }

  #id(): number {
    this.#next = (this.#next % 65_535) + 1;
    return this.#next;
  }
}
