import { status as codes } from '@grpc/grpc-js';
import { noAnswer } from './grpc-answer.js';
import { HEAD_BYTES, readHead } from './grpc-message.js';
import { statusError } from './grpc-status.js';

const NOTHING = Buffer.alloc(0);

/** Gathers an answer of exactly one message, in a buffer of its own. */
export class WholeMessage {
  #buffer = NOTHING;
  #size = 0;

  constructor(private readonly maxBytes: number) {}

  /**
   * Copies the next bytes.
   * @throws the error of gRPC when they are more than allowed or announced, or compressed
   */
  add(piece: Buffer): void {
    const size = this.#size + piece.length;
    if (size > this.maxBytes + HEAD_BYTES) {
      const sizes = `${size} vs ${this.maxBytes}`;
      throw statusError(codes.RESOURCE_EXHAUSTED, `Received message larger than max (${sizes})`);
    }
    if (size > this.#buffer.length) this.#grow(size, piece);
    piece.copy(this.#buffer, this.#size);
    this.#size = size;
  }

  /**
   * The message without its head.
   * @throws the error of gRPC when it is none, or not whole
   */
  whole(): Buffer {
    if (this.#size < HEAD_BYTES) throw noAnswer('the answer has no message');
    if (readHead(this.#buffer, 0, this.maxBytes) !== this.#size - HEAD_BYTES) {
      throw noAnswer('the answer is not one whole message');
    }
    return this.#buffer.subarray(HEAD_BYTES, this.#size);
  }

  /** Lets go of the bytes. */
  drop(): void {
    this.#buffer = NOTHING;
    this.#size = 0;
  }

  /** To what the head announces, as soon as it is there. */
  #grow(size: number, piece: Buffer): void {
    const head = this.#size === 0 ? piece : this.#buffer;
    const announced = head.length < HEAD_BYTES ? 0 : HEAD_BYTES + readHead(head, 0, this.maxBytes);
    // Room for what nobody has announced would be made, and all copied, again for each piece.
    if (announced > 0 && size > announced) throw noAnswer('the answer is longer than its message');
    const larger = Buffer.allocUnsafeSlow(Math.max(size, announced));
    this.#buffer.copy(larger, 0, 0, this.#size);
    this.#buffer = larger;
  }
}
