import { ownBytes } from './own-bytes.js';
import { ProtocolError } from './protocol-error.js';
import { REASON } from './reason-codes.js';
import { decodeUtf8 } from './utf8.js';

export function malformed(message: string): ProtocolError {
  return new ProtocolError(REASON.malformedPacket, message);
}

export function protocolError(message: string): ProtocolError {
  return new ProtocolError(REASON.protocolError, message);
}

/** The fields of one packet, or of its properties, one after the other; none reaches beyond its end. */
export class Fields {
  buffer: Buffer = Buffer.alloc(0);
  at = 0;
  end = 0;

  open(buffer: Buffer, at: number, end: number): void {
    this.buffer = buffer;
    this.at = at;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  byte(): number {
    return this.buffer[this.#skip(1)] as number;
  }

  uint16(): number {
    const at = this.#skip(2);
    return ((this.buffer[at] as number) << 8) | (this.buffer[at + 1] as number);
  }

  uint32(): number {
    const at = this.#skip(4);
    return this.buffer.readUInt32BE(at);
  }

  /** MQTT-1.5.5-1: in as few bytes as it takes. */
  variableByteInteger(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte > 0x7f) continue;
      if (byte === 0 && shift > 0) throw malformed('a variable byte integer is longer than it must be');
      return value;
    }
    throw malformed('a variable byte integer is longer than four bytes');
  }

  /** A copy. */
  binary(): Buffer {
    const length = this.uint16();
    const at = this.#skip(length);
    return ownBytes(this.buffer.subarray(at, at + length));
  }

  string(): string {
    const length = this.uint16();
    const at = this.#skip(length);
    const text = decodeUtf8(this.buffer, at, at + length);
    if (text === null) throw malformed('a string is not UTF-8, or contains U+0000');
    return text;
  }

  /** MQTT-2.2.1-3, MQTT-2.3.1-1 in MQTT 3.1.1. */
  packetIdentifier(): number {
    const id = this.uint16();
    if (id === 0) throw protocolError('the packet identifier is 0');
    return id;
  }

  expectEnd(): void {
    if (this.at !== this.end) throw malformed('there are bytes after the last field');
  }

  #skip(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.end) throw malformed('a field is cut off');
    this.at = at + bytes;
    return at;
  }
}
