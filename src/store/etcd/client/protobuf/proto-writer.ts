import { HEAD_BYTES, writeHead } from '../channel/grpc-message.js';

/** Bytes of the first buffer of a writer that was told less. */
const SMALL_BYTES = 256;
/** Characters of a text that is written in JavaScript. */
const SHORT_TEXT = 100;

/**
 * Writes a message of protobuf from its end to its start: the length of a nested message stands before it, and is known
 * only when it is written. So the last field is written first, and each field's value before its tag.
 */
export class ProtoWriter {
  #buffer: Buffer;
  #at: number;

  /** @param sizeBytes that will do for most messages; it grows when they do not */
  constructor(sizeBytes = SMALL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(Math.max(sizeBytes, SMALL_BYTES));
    this.#at = this.#buffer.length;
  }

  /** Bytes written so far; given to nested() it says where a nested message ends. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  /**
   * A number. No errors.
   * @param tag number and wire type of the field, as of all below
   * @param value 0 to 2 ** 53
   */
  number(tag: number, value: number): void {
    this.#varint(value);
    this.#varint(tag);
  }

  /**
   * A signed 64-bit number in decimal, such as the id of a lease.
   * @param tag of the field
   * @throws SyntaxError when it is no number
   */
  int64(tag: number, decimal: string): void {
    const value = BigInt.asUintN(64, BigInt(decimal));
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return this.number(tag, Number(value));
    const bytes: number[] = [];
    for (let rest = value; rest > 0n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
    this.#varint(tag);
  }

  /**
   * Bytes, or a text in UTF-8. No errors.
   * @param tag of the field
   */
  bytes(tag: number, value: Buffer | string): void {
    const length = typeof value === 'string' ? this.#text(value) : this.#bytes(value);
    this.#varint(length);
    this.#varint(tag);
  }

  /**
   * Everything since `length` was `end` becomes a nested message. No errors.
   * @param tag of the field
   * @param end bytes
   */
  nested(tag: number, end: number): void {
    this.#varint(this.length - end);
    this.#varint(tag);
  }

  /** The message with its head of gRPC before it. Nothing can be written any more. No errors. */
  framed(): Buffer {
    const length = this.length;
    this.#reserve(HEAD_BYTES);
    this.#at -= HEAD_BYTES;
    writeHead(this.#buffer, this.#at, length);
    return this.#buffer.subarray(this.#at);
  }

  #bytes(value: Buffer): number {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
    return value.length;
  }

  /** Returns its length in bytes. */
  #text(value: string): number {
    if (value.length <= SHORT_TEXT && this.#shortAscii(value)) return value.length;
    const length = Buffer.byteLength(value);
    this.#reserve(length);
    this.#at -= length;
    this.#buffer.write(value, this.#at, length, length === value.length ? 'latin1' : 'utf8');
    return length;
  }

  /** Keys are short: a call out of JavaScript takes longer than a loop. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    this.#reserve(length);
    const buffer = this.#buffer;
    const at = this.#at - length;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      buffer[at + i] = code;
    }
    this.#at = at;
    return true;
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#reserve(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    let size = 2;
    for (let limit = 0x4000; value >= limit; limit *= 128) size++;
    this.#reserve(size);
    const buffer = this.#buffer;
    let at = (this.#at -= size);
    let rest = value;
    for (; rest >= 0x80000000; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 0x80;
    for (; rest >= 0x80; rest >>>= 7) buffer[at++] = (rest & 0x7f) | 0x80;
    buffer[at] = rest;
  }

  #reserve(bytes: number): void {
    if (this.#at >= bytes) return;
    const length = this.length;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, length + bytes));
    this.#buffer.copy(larger, larger.length - length, this.#at);
    this.#at = larger.length - length;
    this.#buffer = larger;
  }
}
