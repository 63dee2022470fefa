import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from '../../harness/until.js';

/** A TCP connection that sends exactly the bytes it is told to. */
export class RawSocket {
  #received = Buffer.alloc(0);
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])));
    socket.on('close', () => (this.closed = true));
    // A reset is one way of being closed.
    socket.on('error', () => undefined);
  }

  static async open(url: string): Promise<RawSocket> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const raw = new RawSocket(socket);
    await once(socket, 'connect');
    return raw;
  }

  send(bytes: Buffer | string): this {
    this.socket.write(bytes);
    return this;
  }

  get received(): Buffer {
    return this.#received;
  }

  /** The answer as text, once it has what is expected. */
  async answer(pattern: RegExp, timeoutMs?: number): Promise<string> {
    const text = (): string => this.#received.toString('latin1');
    await until(
      () => `${pattern}; got ${JSON.stringify(text())}, closed: ${this.closed}`,
      () => pattern.test(text()),
      timeoutMs,
    );
    return text();
  }

  /** Waits until the node has ended the connection, and returns what it had said. */
  async end(timeoutMs?: number): Promise<Buffer> {
    await until(
      () => `the node ends the connection; got ${this.#received.toString('hex')}`,
      () => this.closed,
      timeoutMs,
    );
    return this.#received;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** MQTT packets by hand, so that they can be wrong. */
export const packet = {
  /** @param first the fixed header's first byte */
  raw(first: number, body: Buffer): Buffer {
    return Buffer.concat([Buffer.from([first]), length(body.length), body]);
  },

  connect(clientId: string, version: 4 | 5 = 5, will?: { readonly topic: string; readonly payload: string }): Buffer {
    const properties = version === 5 ? [Buffer.from([0])] : [];
    const flags = 0x02 | (will ? 0x04 | 0x08 : 0);
    const head = [field('MQTT'), Buffer.from([version, flags, 0, 60]), ...properties, field(clientId)];
    const last = will ? [...properties, field(will.topic), field(will.payload)] : [];
    return packet.raw(0x10, Buffer.concat([...head, ...last]));
  },

  /** @param flags the low bits of the first byte: DUP 8, QoS 2 or 4, RETAIN 1 */
  publish(topic: string | Buffer, payload: string, flags = 0x02, version: 4 | 5 = 5): Buffer {
    const id = (flags & 0x06) === 0 ? [] : [Buffer.from([0, 1])];
    const properties = version === 5 ? [Buffer.from([0])] : [];
    return packet.raw(0x30 | flags, Buffer.concat([field(topic), ...id, ...properties, Buffer.from(payload)]));
  },

  subscribe(...filters: string[]): Buffer {
    const topics = filters.flatMap((filter) => [field(filter), Buffer.from([1])]);
    return packet.raw(0x82, Buffer.concat([Buffer.from([0, 2, 0]), ...topics]));
  },
};

function field(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** MQTT's variable byte integer. */
function length(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest > 127 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.from(bytes);
}
