import { timingSafeEqual } from 'node:crypto';

const left = Buffer.alloc(64);
const right = Buffer.alloc(64);

/** Compares two digests of 64 hexadecimal digits in constant time. No errors. */
export function isSameDigest(one: string, other: string): boolean {
  left.write(one, 'latin1');
  right.write(other, 'latin1');
  return one.length === other.length && timingSafeEqual(left, right);
}
