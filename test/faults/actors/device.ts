import { connect, type Socket } from 'node:net';
import { generate, parser, type Packet } from 'mqtt-packet';

/** Milliseconds for the TCP connection and the CONNACK. */
const CONNECT_MS = 4_000;

export interface DeviceOptions {
  readonly clientId: string;
  readonly port: number;
  readonly onMessage?: (topic: string, payload: Buffer) => void;
  readonly onClose?: () => void;
}

/**
 * One MQTT 3.1.1 connection that does only what it is told. A client library would send unacknowledged messages again by
 * itself; then a message that is applied twice would be its doing and not the service's.
 */
export class DeviceConnection {
  #next = 0;
  #closed = false;
  readonly #waiting = new Map<number, (answered: boolean) => void>();

  private constructor(
    private readonly socket: Socket,
    private readonly options: DeviceOptions,
  ) {}

  /** @throws Error when there is no CONNACK within 4 s */
  static async open(options: DeviceOptions): Promise<DeviceConnection> {
    const socket = connect(options.port, '127.0.0.1');
    socket.setNoDelay(true);
    const device = new DeviceConnection(socket, options);
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => {
        clearTimeout(timer);
        device.close();
        reject(error);
      };
      const timer = setTimeout(() => fail(new Error('no CONNACK')), CONNECT_MS);
      device.#waiting.set(0, (answered) => {
        clearTimeout(timer);
        if (answered) resolve();
        else reject(new Error('the connection ended before the CONNACK'));
      });
      socket.on('error', fail);
      device.#start();
    });
    return device;
  }

  get open(): boolean {
    return !this.#closed;
  }

  /** Whether the SUBACK came. */
  subscribe(filters: readonly string[], qos: 0 | 1 = 0): Promise<boolean> {
    const messageId = this.#id();
    const subscriptions = filters.map((topic) => ({ topic, qos }));
    return this.#ask(messageId, { cmd: 'subscribe', messageId, subscriptions });
  }

  /** Whether the PUBACK came; false once the connection is gone. */
  publish(topic: string, payload: string): Promise<boolean> {
    const messageId = this.#id();
    return this.#ask(messageId, { cmd: 'publish', topic, payload, messageId, qos: 1, dup: false, retain: false });
  }

  stopReading(): void {
    this.socket.pause();
  }

  readAgain(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
    this.#ended();
  }

  #start(): void {
    const packets = parser();
    packets.on('packet', (packet: Packet) => this.#packet(packet));
    packets.on('error', () => this.close());
    this.socket.on('data', (chunk) => void packets.parse(chunk));
    this.socket.on('close', () => this.#ended());
    const { clientId } = this.options;
    this.socket.write(generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId, clean: true }));
  }

  #packet(packet: Packet): void {
    switch (packet.cmd) {
      case 'connack':
        return this.#settle(0, packet.returnCode === 0);
      case 'suback':
      case 'puback':
        return this.#settle(packet.messageId ?? 0, true);
      case 'publish':
        if (packet.qos === 1) this.socket.write(generate({ cmd: 'puback', messageId: packet.messageId ?? 0 }));
        return this.options.onMessage?.(packet.topic, packet.payload as Buffer);
    }
  }

  #ask(messageId: number, packet: Packet): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#waiting.set(messageId, resolve);
      this.socket.write(generate(packet));
    });
  }

  #settle(messageId: number, answered: boolean): void {
    this.#waiting.get(messageId)?.(answered);
    this.#waiting.delete(messageId);
  }

  #ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const resolve of this.#waiting.values()) resolve(false);
    this.#waiting.clear();
    this.options.onClose?.();
  }

  #id(): number {
    this.#next = (this.#next % 65_535) + 1;
    return this.#next;
  }
}
