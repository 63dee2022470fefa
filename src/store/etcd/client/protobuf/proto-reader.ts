/** The wire types of protobuf. */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED32 = 5;
/** Bytes of the longest varint. */
const MAX_VARINT_BYTES = 10;

/** The bytes are no message of the expected kind. They say nothing about the request that they answer. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

/**
 * Reads a message of protobuf in place, field by field, without an object for each. Every bound is checked, and every
 * step moves on, so that no bytes can make it read forever or past the end.
 *
 * A nested message is read between `enter()` and `leave(...)`:
 * ```
 * while (reader.more) {
 *   const tag = reader.tag();
 *   if (tag === 0x0a) { const outer = reader.enter(); while (reader.more) …; reader.leave(outer); }
 *   else reader.skip(tag);
 * }
 * ```
 */
export class ProtoReader {
  #buffer: Buffer = EMPTY;
  #at = 0;
  #end = 0;
  #high = -1;
  #low = -1;
  #text = '';

  /** Starts with the bytes from `start` to `end` of `buffer`, all of it unless told. No errors. */
  read(buffer: Buffer, start = 0, end: number = buffer.length): this {
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
    return this;
  }

  /** Whether the present message has another field. */
  get more(): boolean {
    return this.#at < this.#end;
  }

  /** The place of the next byte in the buffer. */
  get at(): number {
    return this.#at;
  }

  /**
   * Number and wire type of the next field: `number << 3 | type`.
   * @throws BadMessage
   */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffffffff) throw new BadMessage('a field without a number');
    return tag;
  }

  /**
   * A number up to 2 ** 53.
   * @throws BadMessage, also for a larger or a negative one
   */
  varint(): number {
    const buffer = this.#buffer;
    const end = this.#end;
    let at = this.#at;
    if (at >= end) throw new BadMessage('cut off within a number');
    let byte = buffer[at++]!;
    let value = byte & 0x7f;
    for (let factor = 128; byte >= 0x80; factor *= 128) {
      if (at >= end) throw new BadMessage('cut off within a number');
      byte = buffer[at++]!;
      value += (byte & 0x7f) * factor;
      // Zeros that only fill up are allowed, up to the longest form.
      if (at - this.#at >= MAX_VARINT_BYTES && byte >= 0x80) throw new BadMessage('a number without an end');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new BadMessage('a number above 2 ** 53');
    this.#at = at;
    return value;
  }

  /**
   * Any unsigned 64-bit number, in decimal: ids of clusters use all bits. The last one is remembered, since all answers
   * bring the same.
   * @throws BadMessage
   */
  uint64(): string {
    let [low, high, shift] = [0, 0, 0];
    for (;;) {
      if (this.#at >= this.#end) throw new BadMessage('cut off within a number');
      const byte = this.#buffer[this.#at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) [low, high] = [low | (bits << 28), bits >>> 4];
      else if (shift <= 63) high |= bits << (shift - 32);
      else throw new BadMessage('a number without an end');
      if (byte < 0x80) break;
      shift += 7;
    }
    return this.#decimal(low >>> 0, high >>> 0);
  }

  /**
   * Begins a nested message; the result is for leave().
   * @throws BadMessage when it is longer than what is around it
   */
  enter(): number {
    const outer = this.#end;
    this.#end = this.#stop();
    return outer;
  }

  /**
   * Ends a nested message, also one that was not read to its end. No errors.
   * @param outer what enter() gave: the place where the message around it ends
   */
  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /**
   * The bytes of a field, as a view of the buffer.
   * @throws BadMessage
   */
  bytes(): Buffer {
    const stop = this.#stop();
    const view = this.#buffer.subarray(this.#at, stop);
    this.#at = stop;
    return view;
  }

  /**
   * Passes the bytes of a field; they stand from the result up to `at`.
   * @throws BadMessage
   */
  pass(): number {
    const stop = this.#stop();
    const start = this.#at;
    this.#at = stop;
    return start;
  }

  /**
   * Passes a field that nobody needs.
   * @param tag number and wire type of the field
   * @throws BadMessage
   */
  skip(tag: number): void {
    const type = tag & 7;
    if (type === VARINT) return this.#skipVarint();
    if (type === BYTES) this.#at = this.#stop();
    else if (type === FIXED64) this.#move(8);
    else if (type === FIXED32) this.#move(4);
    else if (type === GROUP) this.#skipGroup();
    else throw new BadMessage(`a field of the unknown type ${type}`);
  }

  #stop(): number {
    const length = this.varint();
    if (length > this.#end - this.#at) throw new BadMessage('a field longer than its message');
    return this.#at + length;
  }

  #move(bytes: number): void {
    if (bytes > this.#end - this.#at) throw new BadMessage('cut off within a field');
    this.#at += bytes;
  }

  #skipVarint(): void {
    const last = Math.min(this.#end, this.#at + MAX_VARINT_BYTES);
    while (this.#at < last) if (this.#buffer[this.#at++]! < 0x80) return;
    throw new BadMessage('a number without an end');
  }

  /** Without recursion: groups within groups must not use up the stack. */
  #skipGroup(): void {
    for (let depth = 1; depth > 0;) {
      const tag = this.tag();
      if ((tag & 7) === GROUP) depth++;
      else if ((tag & 7) === GROUP_END) depth--;
      else this.skip(tag);
    }
  }

  #decimal(low: number, high: number): string {
    if (low !== this.#low || high !== this.#high) {
      this.#text = String((BigInt(high) << 32n) | BigInt(low));
      [this.#low, this.#high] = [low, high];
    }
    return this.#text;
  }
}

const EMPTY = Buffer.alloc(0);
