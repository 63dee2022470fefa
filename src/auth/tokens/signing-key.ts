import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { UnsealError, type SecretSeal } from '../sealed-secret.js';

/** The public half as it is published (RFC 7517). */
export interface PublicJwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
}

/** A key as the record of the ring holds it. */
export interface StoredSigningKey {
  /** Thumbprint of the public half (RFC 7638): a kid never names another key. */
  readonly kid: string;
  readonly jwk: PublicJwk;
  /** The private half, sealed; null: nothing is signed with it any more. */
  readonly sealed: string | null;
  /** Epoch milliseconds of its first use; null: not used yet. */
  readonly since: number | null;
  /** Epoch milliseconds after which no token of it is valid; null: not retired. */
  readonly until: number | null;
}

/** A new P-256 key that is not used yet. No errors. */
export function makeSigningKey(seal: SecretSeal): StoredSigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const jwk: PublicJwk = { kty: 'EC', crv: 'P-256', x, y };
  const kid = thumbprint(jwk);
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { kid, jwk, sealed: seal.seal(pem, kid), since: null, until: null };
}

/** @throws Error when the coordinates are not a point of the curve */
export function publicKeyOf({ jwk }: StoredSigningKey): KeyObject {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' });
}

/** The private half; null: it was sealed under another master key, or there is none. No errors. */
export function privateKeyOf({ kid, sealed }: StoredSigningKey, seal: SecretSeal): KeyObject | null {
  try {
    return sealed === null ? null : createPrivateKey(seal.open(sealed, kid));
  } catch (error) {
    if (error instanceof UnsealError) return null;
    throw error;
  }
}

/** The members of RFC 7638, in its order and without white space. No errors. */
export function thumbprint({ crv, kty, x, y }: PublicJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}
