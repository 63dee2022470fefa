/** What a reader keeps between two reads, in one buffer that grows. */
export class HeldBytes {
  /** What was read of it already. */
  from = 0;
  #buffer: Buffer;
  #to = 0;

  /** @param capacity bytes to begin with */
  constructor(capacity: number) {
    // A buffer of its own: a slice of a pool would keep the whole pool.
    this.#buffer = Buffer.allocUnsafeSlow(capacity);
  }

  get buffer(): Buffer {
    return this.#buffer;
  }

  get to(): number {
    return this.#to;
  }

  get length(): number {
    return this.#to - this.from;
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  /** @param most bytes that are ever wanted: the buffer doubles up to it */
  append(chunk: Buffer, start: number, end: number, most: number): void {
    const needed = this.length + end - start;
    if (this.#to + end - start > this.#buffer.length) this.#grow(Math.max(needed, Math.min(2 * needed, most)));
    chunk.copy(this.#buffer, this.#to, start, end);
    this.#to += end - start;
  }

  #grow(capacity: number): void {
    const larger = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(larger, 0, this.from, this.#to);
    this.#to -= this.from;
    this.from = 0;
    this.#buffer = larger;
  }
}
