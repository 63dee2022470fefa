import { hashOf, hashStep, NO_NAME } from '../../name-hash.js';

const SLASH = '/'.charCodeAt(0);
const CLASSIC = 'c'.charCodeAt(0);
const NAMED = 'n'.charCodeAt(0);
const COLON = ':'.charCodeAt(0);
/** Bytes of `{bb}/`. */
const BUCKET = 3;

/**
 * Reads the key of each event of a watch where it lies. It tells whether it has the form of the key of a shadow
 * (keys.ts), and hashes that tell most readers that it is not theirs: then it never becomes a string.
 */
export class KeyBytes {
  /** Hash of the last key that was read (name-hash.ts). */
  hash = 0;
  /** Hash of the name of its thing. */
  thingHash = 0;
  readonly #prefix: Buffer;
  readonly #prefixHash: number;

  /** @param prefix of the keys of all shadows; ends with a slash */
  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix);
    this.#prefixHash = hashOf(prefix);
  }

  /** Whether the bytes from `start` up to and without `end` are the key of a shadow by their form. No errors. */
  read(bytes: Buffer, start: number, end: number): boolean {
    const begin = start + this.#prefix.length;
    const tenant = begin + BUCKET;
    if (end <= tenant || bytes[tenant - 1] !== SLASH || !this.#hasPrefix(bytes, start)) return false;
    let hash = this.#prefixHash;
    for (let at = begin; at < tenant; at++) hash = hashStep(hash, bytes[at]!);
    let at = tenant;
    for (; at < end && bytes[at] !== SLASH; at++) hash = hashStep(hash, bytes[at]!);
    if (at === end || at === tenant) return false;
    hash = hashStep(hash, SLASH);
    const thing = ++at;
    let thingHash = NO_NAME;
    for (; at < end && bytes[at] !== SLASH; at++) {
      hash = hashStep(hash, bytes[at]!);
      thingHash = hashStep(thingHash, bytes[at]!);
    }
    if (at === end || at === thing) return false;
    const shadow = at + 1;
    for (; at < end; at++) {
      if (at >= shadow && bytes[at] === SLASH) return false;
      hash = hashStep(hash, bytes[at]!);
    }
    this.hash = hash;
    this.thingHash = thingHash;
    return isShadow(bytes, shadow, end);
  }

  #hasPrefix(bytes: Buffer, start: number): boolean {
    const prefix = this.#prefix;
    for (let at = 0; at < prefix.length; at++) if (bytes[start + at] !== prefix[at]) return false;
    return true;
  }
}

/** `c`, or `n:` and a name. */
function isShadow(bytes: Buffer, start: number, end: number): boolean {
  if (end === start + 1) return bytes[start] === CLASSIC;
  return end > start + 2 && bytes[start] === NAMED && bytes[start + 1] === COLON;
}
