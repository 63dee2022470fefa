import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { derivedKey } from '../sealed-secret.js';
import { base62 } from './base62.js';

const PREFIX = 'umk_';
/** Characters of each part: 88 bits name the key, 256 bits are its secret, the CRC-32 is of all before it. */
const ID_LENGTH = 15;
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH}}$`);
const DIGEST_BYTES = 32;
/** Stands for the digest of a key that is not known, so that the refusal takes as long: no key has it. */
const NOBODY = Buffer.alloc(DIGEST_BYTES);

/** A key as it is made: `text` goes to its owner and is kept nowhere. */
export interface MadeSecretKey {
  readonly id: string;
  readonly text: string;
  /** What is stored: base64url. */
  readonly digest: string;
}

/**
 * Keys that we make: `umk_`, the id, the secret and a checksum, 68 characters in all. Scanners of sources and logs find
 * them by prefix and length, and sort out what only looks like one by the checksum. With 256 random bits nothing is
 * gained by a slow hash: what is stored is an HMAC-SHA256 under a key of the master key.
 */
export class SecretKeys {
  readonly #hmacKey: Uint8Array;

  /** @throws RangeError for a master key that has not 32 bytes */
  constructor(masterKey: Uint8Array) {
    this.#hmacKey = derivedKey(masterKey, 'umbra secret-key 1');
  }

  /** A new key. No errors. */
  make(): MadeSecretKey {
    const id = base62(randomBytes(11), ID_LENGTH);
    const body = PREFIX + id + base62(randomBytes(32), SECRET_LENGTH);
    const text = body + checksum(body);
    return { id, text, digest: this.#digest(text).toString('base64url') };
  }

  /**
   * Whether a key is the one that is stored, in constant time. No errors.
   * @param digest null: there is none of this id; the answer is false and takes as long
   */
  matches(text: string, digest: string | null): boolean {
    const stored = Buffer.from(digest ?? '', 'base64url');
    return timingSafeEqual(this.#digest(text), stored.length === DIGEST_BYTES ? stored : NOBODY);
  }

  #digest(text: string): Buffer {
    return createHmac('sha256', this.#hmacKey).update(text).digest();
  }
}

/** The id of a key, to look it up by; null: it was not made by us, which needs no look-up. No errors. */
export function secretKeyId(text: string): string | null {
  if (!FORM.test(text)) return null;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  return checksum(body) === text.slice(-CHECKSUM_LENGTH) ? text.slice(PREFIX.length, PREFIX.length + ID_LENGTH) : null;
}

/** Whether a text claims to be such a key, as passwords of MQTT may be a key or a token. No errors. */
export const looksLikeSecretKey = (text: string): boolean => text.startsWith(PREFIX);

function checksum(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return base62(bytes, CHECKSUM_LENGTH);
}
