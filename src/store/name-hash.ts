import { randomInt } from 'node:crypto';

/** Clients choose names: without a number that they do not know they could choose many with one hash. */
const SEED = randomInt(2 ** 32) | 0;

/** The hash of no characters; `hashStep` adds one after the other. It differs between processes. */
export const NO_NAME: number = SEED;

/** The hash of a name and one more character, which is below 128: a byte of UTF-8 is one then. No errors. */
export function hashStep(hash: number, character: number): number {
  const mixed = Math.imul(hash ^ character, 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

/** The hash of a name, 32 bits with a sign. No errors. */
export function hashOf(name: string): number {
  let hash = SEED;
  for (let at = 0; at < name.length; at++) hash = hashStep(hash, name.charCodeAt(at));
  return hash;
}
