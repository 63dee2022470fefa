import { hkdfSync } from 'node:crypto';

const KEY_BYTES = 32;

/**
 * The one secret of a cluster that is not in its storage. It is never used itself: each purpose has a key of its own,
 * derived by HKDF-SHA256 (RFC 5869) with the name of the purpose, so that no use of one key tells anything of another.
 */
export class MasterKey {
  readonly #bytes: Buffer;

  /**
   * @param bytes 32 random bytes; copied
   * @throws RangeError when there are more or fewer
   */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) {
      throw new RangeError(`The master key must have ${KEY_BYTES} bytes; this one has ${bytes.length}`);
    }
    this.#bytes = Buffer.from(bytes);
  }

  /**
   * A key of 32 bytes for one purpose. No errors.
   * @param purpose its name; a new version of a format takes a new name
   */
  derive(purpose: string): Buffer {
    return deriveKey(this.#bytes, '', purpose);
  }
}

/**
 * A key of 32 bytes by HKDF-SHA256. No errors.
 * @param secret must have 128 bits of randomness or more: HKDF makes no guess slower
 */
export function deriveKey(secret: Uint8Array | string, salt: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, `umbra ${purpose}`, KEY_BYTES));
}
