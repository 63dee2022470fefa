import { randomFillSync } from 'node:crypto';

/** Bytes that are asked for at once: a call for the eight of an id takes as long as one for all of these. */
const POOL_BYTES = 4096;

const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** A new id of a trace or span, which nobody has to be unable to guess, in hexadecimal. @param bytes at most 4,096 */
export function newId(bytes: number): string {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
