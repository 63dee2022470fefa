import { timingSafeEqual } from 'node:crypto';

/** Compares two texts of one byte a character in constant time: only their lengths show. No errors. */
export function isSameText(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  return timingSafeEqual(Buffer.from(one, 'latin1'), Buffer.from(other, 'latin1'));
}
