/** The wire format of Protocol Buffers, as far as it is written by hand. */

/** @param value a whole number from 0 to 2^31 - 1. No errors. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  bytes.push(left);
  return Buffer.from(bytes);
}

/** A member that holds text or bytes. @param number of the field, 1 to 15. No errors. */
export function field(number: number, content: string | Buffer): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes]);
}

/** Bytes of a value by its wire type; that of type 2 says its length itself, and 0 ends with a byte below 0x80. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

/**
 * The numbers of the fields of a message, outermost ones only. No errors.
 * @returns null: it is cut off, which the decoder of protobufjs overlooks
 */
export function fieldNumbers(bytes: Buffer): Set<number> | null {
  const numbers = new Set<number>();
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++]!;
      // Only the low 32 bits matter: tags and lengths have no more.
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    // It ends in the middle of a number.
    at = Infinity;
    return 0;
  };
  while (at < bytes.length) {
    const tag = next();
    numbers.add(tag >>> 3);
    const type = tag & 7;
    if (type === 0) next();
    else if (type === 2) {
      const length = next();
      at += length;
    } else at += FIXED[type] ?? Infinity;
  }
  return at === bytes.length ? numbers : null;
}
