/** Bytes of the longest varint: 64 bits, 7 in each byte. */
const MAX_VARINT = 10;

/** Wire types of protobuf; the two of groups are long gone. */
const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;

/**
 * Reads the fields of one protobuf message in place. It never reads past the end that it was given, and whatever the
 * bytes are, every call moves forward or throws.
 */
export class ProtobufReader {
  #at: number;
  #end: number;
  #fieldStart = 0;

  constructor(
    readonly bytes: Buffer,
    start = 0,
    end = bytes.length,
  ) {
    this.#at = start;
    this.#end = end;
  }

  /** Index of the next byte. */
  get at(): number {
    return this.#at;
  }

  /** Whether the present message has more fields. */
  get hasMore(): boolean {
    return this.#at < this.#end;
  }

  /** The tag of the next field: its number times 8, and its wire type. @throws Error when the message is cut off */
  tag(): number {
    return this.uint();
  }

  /**
   * A number of up to 2^53; a larger one comes out imprecise.
   * @throws Error when the message is cut off, or the varint has more than 64 bits
   */
  uint(): number {
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let factor = 0x80;
    for (let count = 1; count < MAX_VARINT; count++) {
      byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw new Error('a number has more than 64 bits');
  }

  /** An int64 that a number can hold, such as a revision. @throws Error when it cannot; as `uint` */
  int64(): number {
    const start = this.#at;
    const value = this.uint();
    if (value <= Number.MAX_SAFE_INTEGER) return value;
    const negative = Number(BigInt.asIntN(64, this.#exact(start)));
    if (!Number.isSafeInteger(negative)) throw new Error(`${negative} is out of range`);
    return negative;
  }

  /** All 64 bits. @throws Error as `uint` */
  uint64(): bigint {
    const start = this.#at;
    const value = this.uint();
    return value <= Number.MAX_SAFE_INTEGER ? BigInt(value) : this.#exact(start);
  }

  /** The varint that begins at `start` and ends before `at`. */
  #exact(start: number): bigint {
    let exact = 0n;
    for (let at = this.#at - 1; at >= start; at--) exact = (exact << 7n) | BigInt(this.bytes[at]! & 0x7f);
    return BigInt.asUintN(64, exact);
  }

  /** Whether a varint is not 0. @throws Error as `uint` */
  bool(): boolean {
    return this.uint() !== 0;
  }

  /** The end of a field with a length, which begins at `at`. @throws Error when it does not end within the message */
  fieldEnd(): number {
    const length = this.uint();
    const end = this.#at + length;
    if (end > this.#end) throw new Error(`a field of ${length} bytes is cut off`);
    return end;
  }

  /** Passes a field with a length, and remembers where it began. Returns its end. @throws Error as `fieldEnd` */
  passField(): number {
    const end = this.fieldEnd();
    this.#fieldStart = this.#at;
    return (this.#at = end);
  }

  /** Begin of the field that was passed last. */
  get fieldStart(): number {
    return this.#fieldStart;
  }

  /** A field of UTF-8. @throws Error as `fieldEnd` */
  text(): string {
    const end = this.fieldEnd();
    const text = this.bytes.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  /** Goes into a message inside; `leave` comes back with the end that this returns. @throws Error as `fieldEnd` */
  enter(): number {
    const outer = this.#end;
    this.#end = this.fieldEnd();
    return outer;
  }

  /** @param outer end of the message around the present one */
  leave(outer: number): void {
    this.#at = this.#end;
    this.#end = outer;
  }

  /** Passes the value of an unknown field, whose tag was read. @param tag as `tag()` gave it. @throws Error when it is cut off, or no field */
  skip(tag: number): void {
    const kind = tag & 7;
    if (tag < 8) throw new Error(`${tag} is not the tag of a field`);
    if (kind === VARINT) this.uint();
    else if (kind === DELIMITED) this.passField();
    else if (kind === FIXED_64) this.#pass(8);
    else if (kind === FIXED_32) this.#pass(4);
    else throw new Error(`unknown wire type ${kind}`);
  }

  #pass(count: number): void {
    if (this.#at + count > this.#end) throw new Error(`a field of ${count} bytes is cut off`);
    this.#at += count;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new Error('the message is cut off');
    return this.bytes[this.#at++]!;
  }
}
