import { status as codes } from '@grpc/grpc-js';
import { statusError } from './grpc-status.js';

/** Bytes before each message: a flag for compression and the length, big-endian. */
export const HEAD_BYTES = 5;
/** Bytes of the first buffer for a message that comes in pieces, and of the largest one that is kept. */
const SMALL_BYTES = 64 * 1024;
const LARGE_BYTES = 4 * 1024 * 1024;

/** Writes the head of a message of `length` bytes that stands in `buffer` from `at` + 5 on. No errors. */
export function writeHead(buffer: Buffer, at: number, length: number): void {
  buffer[at] = 0;
  buffer.writeUInt32BE(length, at + 1);
}

/** A gRPC message with its head. Messages of the hot path leave room for the head instead. No errors. */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  writeHead(framed, 0, message.length);
  framed.set(message, HEAD_BYTES);
  return framed;
}

/**
 * Bytes of the message whose head stands at `at`.
 * @throws the error of gRPC when the message is compressed or longer than `maxBytes`. It says nothing about the request
 */
export function readHead(buffer: Buffer, at: number, maxBytes: number): number {
  if (buffer[at] !== 0) throw statusError(codes.INTERNAL, 'Received a compressed message, which was not asked for');
  const length = buffer.readUInt32BE(at + 1);
  if (length > maxBytes) {
    throw statusError(codes.RESOURCE_EXHAUSTED, `Received message larger than max (${length} vs ${maxBytes})`);
  }
  return length;
}

/** Cuts the bytes of a stream into messages. A message that lies within one chunk is not copied. */
export class MessageAssembler {
  #held: Buffer = Buffer.alloc(0);
  /** Bytes in `#held`. */
  #size = 0;
  #isStopped = false;

  /** @param maxBytes of one message */
  constructor(
    private readonly maxBytes: number,
    private readonly onMessage: (message: Buffer) => void,
  ) {}

  /** No further message is handed out, not even of the present chunk. */
  stop(): void {
    this.#isStopped = true;
    this.#held = Buffer.alloc(0);
    this.#size = 0;
  }

  /**
   * Takes the next bytes and hands out the messages that they complete; each is a view that is valid until `onMessage`
   * returns.
   * @throws what `onMessage` throws; the errors of readHead
   */
  add(chunk: Buffer): void {
    if (this.#isStopped) return;
    if (this.#size === 0) return this.#keep(chunk, this.#hand(chunk, chunk.length));
    this.#append(chunk, 0);
    const held = this.#held;
    const from = this.#hand(held, this.#size);
    if (from === 0 || this.#isStopped) return;
    held.copyWithin(0, from, this.#size);
    this.#size -= from;
    if (this.#size === 0 && held.length > LARGE_BYTES) this.#held = Buffer.alloc(0);
  }

  /** Hands out the whole messages of the first `size` bytes; returns where the first unfinished one begins. */
  #hand(buffer: Buffer, size: number): number {
    let from = 0;
    while (!this.#isStopped && size - from >= HEAD_BYTES) {
      const end = from + HEAD_BYTES + readHead(buffer, from, this.maxBytes);
      if (end > size) break;
      this.onMessage(buffer.subarray(from + HEAD_BYTES, end));
      from = end;
    }
    return from;
  }

  #keep(chunk: Buffer, from: number): void {
    if (from < chunk.length && !this.#isStopped) this.#append(chunk, from);
  }

  #append(chunk: Buffer, from: number): void {
    const size = this.#size + chunk.length - from;
    if (size > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(SMALL_BYTES, 2 ** Math.ceil(Math.log2(size))));
      this.#held.copy(larger, 0, 0, this.#size);
      this.#held = larger;
    }
    chunk.copy(this.#held, this.#size, from);
    this.#size = size;
  }
}
