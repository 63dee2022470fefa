import { createHash, createHmac, randomBytes } from 'node:crypto';
import { isSameText } from '../same-text.js';
import { derivedKey } from '../sealed-secret.js';
import { base62 } from './base62.js';

const PREFIX = 'umr_';
/** Characters of each part: 47 bits stand for the principal, 88 bits for the family; 256 are secret, 128 are our MAC. */
const OWNER_LENGTH = 8;
const RANDOM_LENGTH = 15;
const FAMILY_LENGTH = OWNER_LENGTH + RANDOM_LENGTH;
const SECRET_LENGTH = 43;
const MAC_LENGTH = 22;
const MAC_BYTES = 16;
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${FAMILY_LENGTH + SECRET_LENGTH + MAC_LENGTH}}$`);

/**
 * Texts of refresh tokens: `umr_`, the family, a secret and a MAC of ours, 92 characters in all. The MAC tells an old
 * token of a family, which ends the family, from one that somebody made up with the id of a true family, which must do
 * nothing.
 */
export class RefreshTokenTexts {
  readonly #macKey: Uint8Array;
  readonly #ownerKey: Uint8Array;

  /** @throws RangeError for a master key that has not 32 bytes */
  constructor(masterKey: Uint8Array) {
    this.#macKey = derivedKey(masterKey, 'umbra refresh-token 1');
    this.#ownerKey = derivedKey(masterKey, 'umbra refresh-owner 1');
  }

  /** The id of a new family. Families of one principal begin alike; which one it is cannot be read off. No errors. */
  makeFamily(tenant: string, principal: string): string {
    return this.ownerOf(tenant, principal) + base62(randomBytes(11), RANDOM_LENGTH);
  }

  /** What the ids of all families of a principal begin with. No errors. */
  ownerOf(tenant: string, principal: string): string {
    const hmac = createHmac('sha256', this.#ownerKey)
      .update(JSON.stringify([tenant, principal]))
      .digest();
    // 47 of the bits: 62 ** 8 is more than 2 ** 47.
    const bytes = hmac.subarray(0, 6);
    bytes[0] = (bytes[0] as number) & 0x7f;
    return base62(bytes, OWNER_LENGTH);
  }

  /** A new token of a family. No errors. */
  make(family: string): string {
    const body = PREFIX + family + base62(randomBytes(32), SECRET_LENGTH);
    return body + this.#mac(body);
  }

  /** The family of a token; null: it is none of ours. No errors. */
  familyOf(token: string): string | null {
    if (!FORM.test(token)) return null;
    const body = token.slice(0, -MAC_LENGTH);
    return isSameText(this.#mac(body), token.slice(-MAC_LENGTH))
      ? body.slice(PREFIX.length, PREFIX.length + FAMILY_LENGTH)
      : null;
  }

  #mac(body: string): string {
    return base62(createHmac('sha256', this.#macKey).update(body).digest().subarray(0, MAC_BYTES), MAC_LENGTH);
  }
}

/** What is stored of a token. A secret of 256 random bits needs neither salt nor a slow hash. No errors. */
export const digestOf = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** Whether a text claims to be such a token. No errors. */
export const looksLikeRefreshToken = (text: string): boolean => text.startsWith(PREFIX);
