import type { Readable } from 'node:stream';

/** One line of a body. */
export interface Line {
  /** From 1; empty lines count. */
  readonly number: number;
  /** Without what ends it. They count only until the next line is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * What comes instead of a line. `complete`: the body is over. `line-too-long`: the next line is longer than a line may be.
 * `stalled`: the client has not sent a whole line in time. `gone`: it has left. `stopped`: nobody wants another line.
 */
export type NoLine = 'complete' | 'line-too-long' | 'stalled' | 'gone' | 'stopped';

export interface LineBounds {
  /** Bytes of a line. */
  readonly maxBytes: number;
  /** Milliseconds for a whole line, from the time at which it is asked for. */
  readonly stallMs: number;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const FIRST_BYTES = 1024;

/**
 * Reads a body line by line, and no more of it than is asked for: what is not asked for stays in the socket, and then
 * with the sender. Lines that are empty are left out.
 */
export class LineReader {
  /** What has come, up to `#at` read already. */
  #piece: Buffer = NOTHING;
  #at = 0;
  /** The beginning of a line that came in several pieces. */
  #begun: Buffer = NOTHING;
  #begunBytes = 0;
  #number = 0;
  #isOver = false;
  #isGone = false;
  #isStopped = false;
  #wake: (() => void) | null = null;
  readonly #onReadable = (): void => this.#wake?.();

  constructor(
    private readonly body: Readable,
    private readonly bounds: LineBounds,
  ) {
    const gone = (): void => {
      if (!this.#isOver) this.leave();
    };
    body.on('readable', this.#onReadable).on('end', () => {
      this.#isOver = true;
      this.#wake?.();
    });
    body.on('error', gone).on('close', gone);
  }

  /** The number of the line that was begun last. */
  get number(): number {
    return this.#number;
  }

  /** Ends a wait for the next line. No errors. */
  stop(): void {
    this.#isStopped = true;
    this.#wake?.();
  }

  /** The client has left, or does not hear the answer any more. No errors. */
  leave(): void {
    this.#isGone = true;
    this.#wake?.();
  }

  /** Leaves the rest of the body to others, who may drop it: until then nobody else can have it flow. No errors. */
  close(): void {
    this.body.off('readable', this.#onReadable);
  }

  /** The next line with anything in it. A promise only when it has not come yet. It never rejects. */
  next(): Line | NoLine | Promise<Line | NoLine> {
    return this.#take() ?? this.#wait();
  }

  async #wait(): Promise<Line | NoLine> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake?.();
    }, this.bounds.stallMs);
    try {
      for (;;) {
        const taken = this.#take();
        if (taken !== null) return taken;
        if (isLate) return 'stalled';
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = null;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** null: there is no whole line yet. */
  #take(): Line | NoLine | null {
    for (;;) {
      if (this.#isStopped) return 'stopped';
      if (this.#isGone) return 'gone';
      const bytes = this.#line();
      if (bytes === null) return null;
      if (typeof bytes === 'string') return bytes;
      this.#number++;
      if (bytes.length > 0) return { number: this.#number, bytes };
    }
  }

  #line(): Buffer | 'complete' | 'line-too-long' | null {
    for (;;) {
      const end = this.#piece.indexOf(LINE_FEED, this.#at);
      const upTo = end < 0 ? this.#piece.length : end;
      if (this.#begunBytes + upTo - this.#at > this.bounds.maxBytes + 1) return this.#tooLong();
      const part = this.#piece.subarray(this.#at, upTo);
      if (end >= 0) {
        this.#at = end + 1;
        return this.#ended(part);
      }
      this.#keep(part);
      const next = this.body.read() as Buffer | null;
      this.#piece = next ?? NOTHING;
      this.#at = 0;
      if (next !== null) continue;
      if (!this.#isOver) return null;
      return this.#begunBytes > 0 ? this.#ended(NOTHING) : 'complete';
    }
  }

  /** A line that came in one piece is not copied. */
  #ended(part: Buffer): Buffer | 'line-too-long' {
    let line = part;
    if (this.#begunBytes > 0) {
      this.#keep(part);
      line = this.#begun.subarray(0, this.#begunBytes);
      this.#begunBytes = 0;
    }
    if (line.at(-1) === CARRIAGE_RETURN) line = line.subarray(0, -1);
    return line.length > this.bounds.maxBytes ? this.#tooLong() : line;
  }

  #tooLong(): 'line-too-long' {
    this.#number++;
    return 'line-too-long';
  }

  #keep(part: Buffer): void {
    const bytes = this.#begunBytes + part.length;
    if (bytes > this.#begun.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, 2 * bytes));
      this.#begun.copy(grown, 0, 0, this.#begunBytes);
      this.#begun = grown;
    }
    part.copy(this.#begun, this.#begunBytes);
    this.#begunBytes = bytes;
  }
}

const NOTHING = Buffer.alloc(0);
