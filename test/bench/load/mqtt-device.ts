import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** PEM of a certificate and its private key. */
export interface DeviceCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface DeviceTls {
  /** PEM of the authority of the server's certificate. */
  readonly ca: Buffer;
  /** What a device shows; none: it shows no certificate. */
  readonly certificateOf?: (clientId: string) => DeviceCertificate;
}

/** The key that a device shows. */
export type KeyOf = (name: string) => string;

/**
 * A device with packets made by hand (MQTT 3.1.1): the load shares the processors with what is measured, so it must cost
 * little, and the same for every peer.
 */
export class Device {
  /** Identifier of the packet that was acknowledged. */
  onPuback: (id: number) => void = () => {};
  /** `tail` is the last byte of the topic: accepte_d_, delt_a_, document_s_. `at` is where the payload begins. */
  onMessage: (tail: number, packet: Buffer, at: number) => void = () => {};
  onEnd: (reason: string) => void = () => {};
  #rest: Buffer | null = null;
  #control: ((packet: Buffer) => void) | null = null;
  /** Acknowledgements of messages of QoS 1 in the chunk at hand; they go out in one write. */
  #acks: number[] = [];

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('close', () => this.onEnd('closed'));
    socket.on('error', (error) => this.onEnd(error.message));
  }

  /** @param key sent as the password; none: neither user name nor password is sent */
  static async connect(port: number, clientId: string, tls?: DeviceTls, key?: string): Promise<Device> {
    const socket = await open(port, clientId, tls);
    const device = new Device(socket);
    // CONNECT: protocol MQTT level 4, clean session, no keep-alive.
    const flags = key === undefined ? 0x02 : 0xc2;
    const shown = key === undefined ? [] : [text('x'), text(key)];
    const body = Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 0]), text(clientId), ...shown]);
    const answer = await device.#ask(packet(0x10, body));
    if (answer[3] !== 0) throw new Error(`CONNACK ${answer[3]}`);
    return device;
  }

  subscribe(...filters: string[]): Promise<void> {
    return this.subscribeAt(0, filters);
  }

  async subscribeAt(qos: 0 | 1, filters: readonly string[]): Promise<void> {
    const each = filters.flatMap((filter) => [text(filter), Buffer.from([qos])]);
    await this.#ask(packet(0x82, Buffer.concat([Buffer.from([0, 1]), ...each])));
  }

  /** QoS 1. @param id 1 to 65535 */
  publish(topic: Buffer, id: number, payload: string): void {
    const bytes = Buffer.byteLength(payload);
    const length = topic.length + 2 + bytes;
    const head = length < 128 ? 2 : 3;
    const out = Buffer.allocUnsafe(head + length);
    out[0] = 0x32;
    if (head === 2) out[1] = length;
    else {
      out[1] = (length & 0x7f) | 0x80;
      out[2] = length >> 7;
    }
    topic.copy(out, head);
    out.writeUInt16BE(id, head + topic.length);
    out.write(payload, head + topic.length + 2);
    this.socket.write(out);
  }

  end(): void {
    this.onEnd = () => {};
    this.socket.destroy();
  }

  #ask(request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.onEnd = (reason) => reject(new Error(reason));
      this.#control = (answer) => {
        this.onEnd = () => {};
        resolve(answer);
      };
      this.socket.write(request);
    });
  }

  #take(chunk: Buffer): void {
    const data = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    while (at + 2 <= data.length) {
      let length = 0;
      let head = 1;
      let shift = 0;
      let byte: number;
      do {
        byte = data[at + head++] ?? -1;
        if (byte < 0) break;
        length |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte & 0x80);
      if (byte < 0 || at + head + length > data.length) break;
      this.#handle(data, at, at + head, at + head + length);
      at += head + length;
    }
    this.#rest = at < data.length ? data.subarray(at) : null;
    if (this.#acks.length > 0) this.socket.write(Buffer.from(this.#acks.splice(0)));
  }

  #handle(data: Buffer, start: number, body: number, end: number): void {
    const kind = (data[start] as number) >> 4;
    if (kind === 3) {
      const topic = body + 2 + data.readUInt16BE(body);
      const acked = ((data[start] as number) & 0x06) !== 0;
      if (acked) this.#acks.push(0x40, 2, data[topic] as number, data[topic + 1] as number);
      this.onMessage(data[topic - 1] as number, data.subarray(start, end), topic + (acked ? 2 : 0) - start);
    } else if (kind === 4) this.onPuback(data.readUInt16BE(body));
    else this.#control?.(data.subarray(start, end));
  }
}

/** A topic as PUBLISH has it. */
export const topicBytes = (topic: string): Buffer => text(topic);

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function packet(kind: number, body: Buffer): Buffer {
  const length: number[] = [];
  let left = body.length;
  do {
    length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>= 7;
  } while (left > 0);
  return Buffer.concat([Buffer.from([kind, ...length]), body]);
}

function open(port: number, clientId: string, tls?: DeviceTls): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const opened = (): void => {
      socket.removeListener('error', reject);
      resolve(socket);
    };
    const socket: Socket = tls
      ? connectTls(
          { port, host: '127.0.0.1', servername: 'localhost', ca: tls.ca, ...tls.certificateOf?.(clientId) },
          opened,
        ).setNoDelay()
      : connect({ port, host: '127.0.0.1', noDelay: true }, opened);
    socket.once('error', reject);
  });
}

/** Many connections, not so many at once that the listener's backlog overflows. */
export async function connectMany(
  ports: readonly number[],
  count: number,
  prefix: string,
  tls?: DeviceTls,
  keyOf?: KeyOf,
): Promise<Device[]> {
  const devices: Device[] = [];
  for (let next = 0; next < count; next += 100) {
    const some = Array.from({ length: Math.min(100, count - next) }, (_, i) => {
      const name = `${prefix}-${next + i}`;
      return Device.connect(ports[(next + i) % ports.length] as number, name, tls, keyOf?.(name));
    });
    devices.push(...(await Promise.all(some)));
  }
  return devices;
}
