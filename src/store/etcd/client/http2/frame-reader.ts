import { FLAG, FRAME, FRAME_BYTES, FRAME_HEAD_BYTES, type FrameHead } from './frame.js';

/** What is no HTTP/2: the connection cannot be read any further. */
export class BrokenHttp2 extends Error {
  override readonly name = 'BrokenHttp2';
}

/** What is handed out is valid until the call returns. */
export interface FrameEvents {
  /**
   * A piece of a frame of data.
   * @param isLast whether the stream ends with it
   * @param paddingBytes that were cut off; they use up the windows, too
   */
  onData(head: FrameHead, piece: Buffer, isLast: boolean, paddingBytes: number): void;
  /** Any other frame, whole. */
  onFrame(head: FrameHead, payload: Buffer): void;
}

const NOTHING = Buffer.alloc(0);

/** Cuts what a connection brings into frames. Data is handed out where it lies; only what is cut apart is copied. */
export class FrameReader {
  readonly #bytes = Buffer.alloc(FRAME_HEAD_BYTES);
  #headBytes = 0;
  /** Bytes of the payload that are to come; -1: its head is not whole yet. */
  #left = -1;
  readonly #head = { type: 0, flags: 0, stream: 0 };
  /** The begin of a payload that is cut apart. */
  #begun: Buffer = NOTHING;
  #isStopped = false;

  constructor(private readonly events: FrameEvents) {}

  /** No further frame is handed out, not even of the present bytes. No errors. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Takes the next bytes.
   * @throws BrokenHttp2 when a frame is larger than allowed; what the events throw
   */
  take(chunk: Buffer): void {
    let at = 0;
    while (!this.#isStopped) {
      if (this.#left < 0) {
        at = this.#takeHead(chunk, at);
        if (this.#left < 0) return;
      }
      const end = Math.min(chunk.length, at + this.#left);
      this.#left -= end - at;
      if (this.#isPlainData()) this.#data(chunk, at, end);
      else this.#whole(chunk, at, end);
      at = end;
      if (this.#left > 0) return;
      this.#left = -1;
    }
  }

  #isPlainData(): boolean {
    return this.#head.type === FRAME.data && (this.#head.flags & FLAG.padded) === 0;
  }

  #takeHead(chunk: Buffer, from: number): number {
    const size = Math.min(FRAME_HEAD_BYTES - this.#headBytes, chunk.length - from);
    chunk.copy(this.#bytes, this.#headBytes, from, from + size);
    this.#headBytes += size;
    if (this.#headBytes < FRAME_HEAD_BYTES) return from + size;
    this.#headBytes = 0;
    const length = this.#bytes.readUIntBE(0, 3);
    if (length > FRAME_BYTES) throw new BrokenHttp2(`a frame of ${length} bytes, of ${FRAME_BYTES} allowed`);
    this.#left = length;
    this.#head.type = this.#bytes[3]!;
    this.#head.flags = this.#bytes[4]!;
    // The first bit has no meaning.
    this.#head.stream = this.#bytes.readUInt32BE(5) & 0x7fff_ffff;
    return from + size;
  }

  #data(chunk: Buffer, from: number, to: number): void {
    const isLast = this.#left === 0 && (this.#head.flags & FLAG.end) !== 0;
    if (to > from || isLast) this.events.onData(this.#head, chunk.subarray(from, to), isLast, 0);
  }

  #whole(chunk: Buffer, from: number, to: number): void {
    if (this.#left > 0) {
      this.#begun = Buffer.concat([this.#begun, chunk.subarray(from, to)]);
      return;
    }
    const rest = chunk.subarray(from, to);
    const payload = this.#begun.length === 0 ? rest : Buffer.concat([this.#begun, rest]);
    this.#begun = NOTHING;
    const head = this.#head;
    if (head.type !== FRAME.data) return this.events.onFrame(head, payload);
    const piece = unpadded(head, payload);
    this.events.onData(head, piece, (head.flags & FLAG.end) !== 0, payload.length - piece.length);
  }
}

/**
 * The payload without its padding.
 * @throws BrokenHttp2 when there is less than the padding
 */
export function unpadded({ flags }: FrameHead, payload: Buffer): Buffer {
  if ((flags & FLAG.padded) === 0) return payload;
  const end = payload.length - (payload[0] ?? payload.length);
  if (end < 1) throw new BrokenHttp2('more padding than frame');
  return payload.subarray(1, end);
}
