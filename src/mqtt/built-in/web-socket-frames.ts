import type { Duplex } from 'node:stream';
import { holdsFrame } from './connections/serve-stream.js';

/** Bytes that one read takes beside its bytes, roughly: `ws` keeps every piece of a frame until the frame is complete. */
const PIECE_BYTES = 256;

/** Pieces and fragments of one message that `ws` keeps; its own bounds would allow tens of megabytes of small ones. */
export const MESSAGE_LIMITS = { maxBufferedChunks: 4096, maxFragments: 1024 };

/** Tells the connection of a WebSocket of messages that have begun and are not complete: they have a deadline, and count. */
export function watchFrames(socket: Duplex, stream: Duplex): void {
  const frames = new FrameWatch();
  let held = 0;
  socket.on('data', (chunk: Buffer) => {
    const isNew = frames.read(chunk);
    // Most messages come whole.
    if (held === 0 && frames.heldBytes === 0) return;
    if (isNew) holdsFrame(stream, 0);
    held = frames.heldBytes;
    holdsFrame(stream, held);
  });
}

/** Follows the frames that a client sends (RFC 6455 section 5.2), without a look at what is in them. */
export class FrameWatch {
  /** Bytes of the head of the current frame that have come. */
  #head = 0;
  #isLast = true;
  #isControl = false;
  #length = 0;
  /** Bytes of the head that tell a longer length, and those of the mask behind. */
  #lengthBytes = 0;
  #maskBytes = 0;
  /** Bytes of the current frame that have come. */
  #came = 0;
  #isInMessage = false;
  #held = 0;

  /** Bytes of memory, about, that the message takes which is not complete; 0: there is none. */
  get heldBytes(): number {
    return this.#held;
  }

  /** @returns whether a message, or a frame that belongs to none, was completed */
  read(chunk: Buffer): boolean {
    let isComplete = false;
    let at = 0;
    while (at < chunk.length) {
      const head = 2 + this.#lengthBytes + this.#maskBytes;
      if (this.#head < 2 || this.#head < head) this.#readHead(chunk[at++] as number);
      else {
        const taken = Math.min(this.#length - this.#came, chunk.length - at);
        at += taken;
        this.#came += taken;
        this.#held += taken;
      }
      if (this.#endsFrame()) isComplete = true;
    }
    if (this.#head > 0 || this.#isInMessage) this.#held += PIECE_BYTES;
    return isComplete;
  }

  #readHead(byte: number): void {
    const at = this.#head++;
    if (at === 0) {
      this.#isLast = (byte & 0x80) !== 0;
      this.#isControl = (byte & 0x08) !== 0;
    } else if (at === 1) {
      const length = byte & 0x7f;
      this.#lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0;
      this.#maskBytes = byte & 0x80 ? 4 : 0;
      this.#length = this.#lengthBytes === 0 ? length : 0;
    } else if (at < 2 + this.#lengthBytes) this.#length = this.#length * 256 + byte;
  }

  /** @returns whether it completes a message, or is a control frame between two of them */
  #endsFrame(): boolean {
    if (this.#head < 2 || this.#head < 2 + this.#lengthBytes + this.#maskBytes || this.#came < this.#length)
      return false;
    this.#head = this.#lengthBytes = this.#maskBytes = this.#came = this.#length = 0;
    if (!this.#isControl) this.#isInMessage = !this.#isLast;
    if (this.#isInMessage) return false;
    this.#held = 0;
    return true;
  }
}
