/**
 * One event of a watch, still as etcd sent it: places in a buffer. Most events concern nobody on this node, so nothing
 * of them is parsed, or made into an object of its own, before somebody asks.
 */
export class WatchEvent {
  isDelete = false;
  /** mod_revision of the key. */
  revision = 0;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;

  /** @param start begin of the field of the event in `bytes`, with its tag; @param end its end */
  constructor(
    public bytes: Buffer,
    public start: number,
    public end: number,
  ) {}

  /** The key; what is no UTF-8 in it is replaced, and so never the key of a shadow. */
  get name(): string {
    return this.bytes.toString('utf8', this.keyStart, this.keyEnd);
  }

  get key(): Buffer {
    return this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  get value(): Buffer {
    return this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  /** Bytes of the value. */
  get size(): number {
    return this.valueEnd - this.valueStart;
  }

  /** From here on it lies `by` bytes nearer to the begin, in another buffer. */
  move(bytes: Buffer, by: number): void {
    this.bytes = bytes;
    this.start -= by;
    this.end -= by;
    this.keyStart -= by;
    this.keyEnd -= by;
    this.valueStart -= by;
    this.valueEnd -= by;
  }
}

const NOTHING = Buffer.alloc(0);
/** Bytes of a block. Whoever keeps the last record of a block keeps the block: readers keep parsed records instead. */
const BLOCK_BYTES = 64 * 1024;
/** Bytes of a piece that gets a block of its own. */
const LARGE_BYTES = BLOCK_BYTES / 4;

/**
 * Memory for the events of one watch, one revision behind the other: the view of a response would keep everything in
 * memory that came in the same read of the socket, and a buffer for each revision costs more than the copy.
 */
export class EventMemory {
  #block: Buffer = NOTHING;
  #used = 0;

  /**
   * Moves neighbours of one response, `from` up to and without `to`, here.
   * @returns their fields, one behind the other: by themselves they are a response with these events
   */
  take(events: readonly WatchEvent[], from: number, to: number): Buffer {
    const first = events[from];
    const last = events[to - 1];
    if (!first || !last) return NOTHING;
    const { start, bytes } = first;
    const size = last.end - start;
    const place = this.#place(size);
    bytes.copy(this.#block, place, start, last.end);
    for (let at = from; at < to; at++) events[at]!.move(this.#block, start - place);
    if (size >= LARGE_BYTES) this.#used = this.#block.length;
    return this.#block.subarray(place, place + size);
  }

  #place(size: number): number {
    if (this.#used + size > this.#block.length || size >= LARGE_BYTES) {
      this.#block = Buffer.allocUnsafeSlow(size >= LARGE_BYTES ? size : BLOCK_BYTES);
      this.#used = 0;
    }
    const place = this.#used;
    this.#used += size;
    return place;
  }
}
