/** Bytes; a turn of a connection seldom has more. */
const CAPACITY = 64 * 1024;
/** Bytes; with less room than this behind what is still being read, a new buffer begins. */
const MIN_ROOM = 4 * 1024;
/** Bytes; a buffer that grew beyond this for one large turn is let go. */
const MAX_KEPT = 256 * 1024;

/**
 * A buffer that is written again from its beginning whenever the bytes were taken. What was not taken stays where it is,
 * and what follows goes behind it: so a reader that is slow keeps about the bytes that wait for it, and no whole buffer.
 */
export class ScratchBuffer {
  #buffer = Buffer.allocUnsafeSlow(CAPACITY);
  /** Where the present writing began. */
  #from = 0;
  #at = 0;

  get length(): number {
    return this.#at - this.#from;
  }

  begin(): void {
    if (this.#buffer.length - this.#from < MIN_ROOM || this.#buffer.length > MAX_KEPT) this.#renew();
    this.#at = this.#from;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(this.#from, this.#at);
  }

  /** @param taken false: somebody still reads the bytes */
  end(taken: boolean): void {
    if (!taken) this.#from = this.#at;
    this.#at = this.#from;
  }

  /** Makes room for so many bytes; the methods below do not look. */
  reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const length = this.#at - this.#from;
    const larger = Buffer.allocUnsafeSlow(Math.max(CAPACITY, 2 * (length + bytes)));
    this.#buffer.copy(larger, 0, this.#from, this.#at);
    this.#buffer = larger;
    this.#from = 0;
    this.#at = length;
  }

  byte(value: number): void {
    this.#buffer[this.#at++] = value;
  }

  uint16(value: number): void {
    this.#buffer[this.#at++] = value >> 8;
    this.#buffer[this.#at++] = value;
  }

  variable(value: number): void {
    let left = value;
    for (; left > 0x7f; left >>>= 7) this.#buffer[this.#at++] = (left & 0x7f) | 0x80;
    this.#buffer[this.#at++] = left;
  }

  copy(bytes: Buffer): void {
    this.#at += bytes.copy(this.#buffer, this.#at);
  }

  /** @param bytes of UTF-8 that the text takes: as many as it has characters when all of them are ASCII */
  text(text: string, bytes: number): void {
    this.#at += this.#buffer.write(text, this.#at, bytes, bytes === text.length ? 'latin1' : 'utf8');
  }

  #renew(): void {
    this.#buffer = Buffer.allocUnsafeSlow(CAPACITY);
    this.#from = 0;
  }
}
