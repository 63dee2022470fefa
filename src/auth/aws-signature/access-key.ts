import { randomBytes } from 'node:crypto';
import type { SecretSeal } from '../sealed-secret.js';

/** What access keys are sealed for: the purpose of their `SecretSeal`. The owner of a secret is the id of its key. */
export const ACCESS_KEY_PURPOSE = 'aws access keys';

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
/** RFC 4648 section 6: 16 characters of 5 bits. */
const ID_BYTES = 10;
/** 240 bits: 40 characters of base64url, as long as a secret of AWS. */
const SECRET_BYTES = 30;

/** The record of an access key, as far as signatures need it. */
export interface AccessKey {
  readonly id: string;
  /** The secret, sealed for ACCESS_KEY_PURPOSE and the id. */
  readonly sealedSecret: string;
  /** SHA-256 (hex) of the session token that requests have to bring; null: they must not bring one. */
  readonly sessionTokenHash: string | null;
}

/** The record of a key that may be used now; undefined for an unknown, expired or revoked one. Never throws. */
export type AccessKeyLookup<K extends AccessKey = AccessKey> = (id: string) => K | undefined;

/** A new key with its secret, which is shown once and stored nowhere. */
export interface NewAccessKey extends AccessKey {
  readonly secret: string;
}

/**
 * Makes an access key without a session token.
 * @param seal seal for ACCESS_KEY_PURPOSE
 */
export function createAccessKey(seal: SecretSeal): NewAccessKey {
  // As AWS's own ids look (20 characters that begin with AKIA or ASIA), with a beginning of ours.
  const id = `UMBA${base32(randomBytes(ID_BYTES))}`;
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { id, secret, sealedSecret: seal.seal(secret, id), sessionTokenHash: null };
}

/** 8 characters of 5 bits for each 5 bytes. */
function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join('');
}
