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

  /** @param start begin of the event in `bytes`; @param end its end */
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

/**
 * Moves neighbours of one response, `from` up to and without `to`, into a buffer of their own: a view would keep the
 * whole response in memory, with everything that came in the same read of the socket. No errors.
 */
export function keepTogether(events: readonly WatchEvent[], from: number, to: number): void {
  const first = events[from];
  const last = events[to - 1];
  if (!first || !last) return;
  const start = first.start;
  const bytes = Buffer.allocUnsafeSlow(last.end - start);
  first.bytes.copy(bytes, 0, start, last.end);
  for (let at = from; at < to; at++) events[at]!.move(bytes, start);
}
