/** Tags of X.690 that certificates use: universal ones, and context-specific ones by their number. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag of the context-specific type `number`, below 31: primitive, as an implicit string has it. */
export const contextTag = (number: number): number => 0x80 | number;
/** Tag of the context-specific type `number`, below 31: constructed, as an explicit tag or an implicit SEQUENCE is. */
export const constructedTag = (number: number): number => 0xa0 | number;

/** One element of DER. Both parts are views of the text that was read. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly whole: Buffer;
}

/** The bytes are no DER, or not of the expected type. The message is for logs; it repeats no byte. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** Bytes of the longest length that is read: 16 MiB, far above all that a certificate may have. */
const MAX_LENGTH_BYTES = 3;

/**
 * Reads the elements of one level, strictly: definite lengths in their shortest form, as X.690 section 10.1 has them,
 * and tags below 31. It does not recurse by itself, so that no text can make it deep.
 */
export class DerReader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  /** Tag of the next element; -1 at the end. */
  get tag(): number {
    return this.bytes[this.#at] ?? -1;
  }

  /**
   * The next element, which must have this tag; any tag by default.
   *
   * @throws DerError
   */
  next(expected?: number): Element {
    const start = this.#at;
    const tag = this.#byte();
    if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of more than one byte');
    if (expected !== undefined && tag !== expected) throw new DerError(`tag ${tag} instead of ${expected}`);
    const length = this.#length();
    const from = this.#at;
    if (length > this.bytes.length - from) throw new DerError('an element is longer than what has it');
    this.#at = from + length;
    return { tag, content: this.bytes.subarray(from, this.#at), whole: this.bytes.subarray(start, this.#at) };
  }

  /**
   * The next element if it has this tag, else null.
   *
   * @throws DerError
   */
  optional(tag: number): Element | null {
    return this.tag === tag ? this.next(tag) : null;
  }

  /**
   * A reader of what the next element has.
   *
   * @throws DerError
   */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /**
   * All elements up to the end.
   *
   * @throws DerError
   */
  *rest(tag?: number): Generator<Element> {
    while (this.tag !== -1) yield this.next(tag);
  }

  /** @throws DerError something follows */
  end(): void {
    if (this.#at !== this.bytes.length) throw new DerError('bytes behind the last element');
  }

  #byte(): number {
    const byte = this.bytes[this.#at++];
    if (byte === undefined) throw new DerError('an element is cut off');
    return byte;
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > MAX_LENGTH_BYTES) throw new DerError('an indefinite or too long length');
    let length = 0;
    for (let each = 0; each < count; each++) length = (length << 8) | this.#byte();
    if (length < 0x80 || length < 1 << (8 * (count - 1)))
      throw new DerError('a length that is not in its shortest form');
    return length;
  }
}

/** @throws DerError not one BOOLEAN of DER, which knows two values only */
export function readBoolean({ tag, content }: Element): boolean {
  const [value] = content;
  if (tag !== TAG.boolean || content.length !== 1 || (value !== 0 && value !== 0xff)) throw new DerError('no BOOLEAN');
  return value === 0xff;
}

/**
 * The bytes of a BIT STRING.
 *
 * @throws DerError unused bits are counted wrongly, or set
 */
export function readBits({ content }: Element): Buffer {
  const [unused = 8] = content;
  const last = content.length > 1 ? (content.at(-1) ?? 0) : 0;
  const isLegal = unused < 8 && (content.length > 1 || unused === 0) && (last & ((1 << unused) - 1)) === 0;
  if (!isLegal) throw new DerError('no BIT STRING');
  return content.subarray(1);
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/**
 * Epoch milliseconds of a UTCTime or GeneralizedTime in the form of RFC 5280 section 4.1.2.5: with seconds, in UTC.
 *
 * @throws DerError another form, or no such day
 */
export function readTime({ tag, content }: Element): number {
  const form = tag === TAG.utcTime ? UTC_TIME : tag === TAG.generalizedTime ? GENERALIZED_TIME : null;
  const parts = form?.exec(content.toString('latin1'))?.slice(1).map(Number);
  if (!parts) throw new DerError('no time of a certificate');
  const [given = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  // RFC 5280 section 4.1.2.5.1: two digits from 50 on are of the last century.
  const year = tag === TAG.generalizedTime ? given : given + (given < 50 ? 2000 : 1900);
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const isReal =
    time.getUTCMonth() === month - 1 && time.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal) throw new DerError('no such time');
  return time.getTime();
}
