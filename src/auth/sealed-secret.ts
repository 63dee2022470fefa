import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Bytes of a master key: as many as an AES-256 key has. */
export const MASTER_KEY_BYTES = 32;

const ALGORITHM = 'aes-256-gcm';
/** First characters of a sealed text. Another way of sealing gets another number. */
const FORMAT = 'sealed1.';
/** NIST SP 800-38D section 5.2.1.1: a nonce of 96 bits. Section 8.3: 2^32 texts at most under one key with random ones. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Bytes of a secret. Certificates' keys are the longest that are sealed. */
const MAX_SECRET_BYTES = 65_536;
/** Characters of a sealed text: base64url of the longest secret with nonce and tag. */
const MAX_SEALED = FORMAT.length + Math.ceil(((MAX_SECRET_BYTES + NONCE_BYTES + TAG_BYTES) * 4) / 3);

/** A text that is not sealed, was sealed elsewhere, or was changed. The message names no part of it. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError';
}

/**
 * Seals secrets that have to be read again, for the place where they are stored: AES-256-GCM under a key of its own for
 * each purpose, derived from the master key. A secret is bound to its owner, so that one record cannot be given the
 * secret of another.
 */
export class SecretSeal {
  readonly #key: Uint8Array;

  /**
   * @param masterKey MASTER_KEY_BYTES random bytes
   * @param purpose what is sealed; each purpose has a key of its own (RFC 5869 section 3.2)
   * @throws RangeError for a master key of another length
   */
  constructor(masterKey: Uint8Array, purpose: string) {
    this.#key = derivedKey(masterKey, `umbra seal ${purpose}`);
  }

  /**
   * @param secret text (as UTF-8) or bytes, 65,536 bytes at most
   * @param owner name of the record that holds it; `open` needs the same
   * @returns ASCII text; another one each time
   * @throws RangeError for a longer secret
   */
  seal(secret: string | Uint8Array, owner: string): string {
    const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret;
    if (bytes.length > MAX_SECRET_BYTES) throw new RangeError(`A secret may have ${MAX_SECRET_BYTES} bytes at most`);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(owner));
    const sealed = [nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()];
    return FORMAT + Buffer.concat(sealed).toString('base64url');
  }

  /**
   * The bytes that were sealed.
   * @throws UnsealError for a text that this seal has not made for this owner
   */
  open(sealed: string, owner: string): Buffer {
    if (!sealed.startsWith(FORMAT) || sealed.length > MAX_SEALED)
      throw new UnsealError('The text is not a sealed secret');
    const bytes = Buffer.from(sealed.slice(FORMAT.length), 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new UnsealError('The sealed secret is cut off');
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(owner))
      .setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    const secret = decipher.update(bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES));
    try {
      return Buffer.concat([secret, decipher.final()]);
    } catch {
      throw new UnsealError('The secret was sealed under another master key, for another owner, or was changed');
    }
  }
}

/**
 * A key of 32 bytes for one purpose (RFC 5869: HKDF with SHA-256, no salt since the master key is random).
 * @param masterKey MASTER_KEY_BYTES random bytes
 * @param label what the key is for
 * @throws RangeError for a master key of another length
 */
export function derivedKey(masterKey: Uint8Array, label: string): Uint8Array {
  if (masterKey.length !== MASTER_KEY_BYTES) {
    throw new RangeError(`A master key has ${MASTER_KEY_BYTES} bytes, not ${masterKey.length}`);
  }
  return new Uint8Array(hkdfSync('sha256', masterKey, new Uint8Array(), label, 32));
}
