import type { ServerWritableStream } from '@grpc/grpc-js';

export interface MessageStreamOptions {
  /** Milliseconds for which a reader may take nothing while messages wait for it. */
  readonly stallMs?: number;
  /** Bytes that wait for the reader before `write` makes its caller wait. */
  readonly maxBytes?: number;
}

/**
 * The answers of one call, with back-pressure: `write` resolves only when the reader has taken most of what was written,
 * so its caller stops pulling from a bounded subscription.
 */
export class MessageStream {
  #isOver = false;
  #abandoned = false;
  #waiting = 0;
  #wake: (() => void) | null = null;
  #onClose: (() => void) | null = null;
  readonly #stallMs: number;
  readonly #maxBytes: number;

  constructor(
    private readonly call: ServerWritableStream<unknown, Buffer>,
    { stallMs = 30_000, maxBytes = 32 * 1024 }: MessageStreamOptions = {},
  ) {
    this.#stallMs = stallMs;
    this.#maxBytes = maxBytes;
    call.once('cancelled', () => this.#close());
    // The caller may have left before this point, and then no 'cancelled' follows.
    if (call.cancelled) this.#close();
  }

  /** False: the reader is gone, or took nothing for `stallMs`, or the stream was abandoned meanwhile. */
  write(message: Buffer): boolean | Promise<boolean> {
    if (this.#isOver) return false;
    const size = message.length;
    this.#waiting += size;
    this.call.write(message, () => {
      this.#waiting -= size;
      if (this.#waiting < this.#maxBytes) this.#wake?.();
    });
    return this.#waiting < this.#maxBytes || this.#untilTaken();
  }

  /** Ends a waiting `write` with false, because its message is no longer needed. */
  abandon(): void {
    this.#abandoned = true;
    this.#wake?.();
  }

  onClose(listener: () => void): void {
    this.#onClose = listener;
    if (this.#isOver) listener();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async #untilTaken(): Promise<boolean> {
    if (this.#abandoned) return false;
    let stalled = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => ((stalled = true), resolve()), this.#stallMs);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
    this.#wake = null;
    return !stalled && !this.#isOver && !this.#abandoned;
  }

  #close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake?.();
    this.#onClose?.();
  }
}
