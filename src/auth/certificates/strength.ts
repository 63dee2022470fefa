import type { PublicKeyFacts } from './certificate-facts.js';
import { DerReader, TAG } from './der.js';

/** Bits of an RSA key. Longer ones make each check of a signature slow. */
const RSA_BITS = { min: 2048, max: 8192 } as const;

// Object ids, their bytes in hexadecimal: 1.2.840.113549.1.1.1, 1.2.840.10045.2.1 and 1.3.101.112.
const RSA = '2a864886f70d010101';
const EC = '2a8648ce3d0201';
const ED25519 = '2b6570';

/** Orders of the groups of the curves P-256, P-384 and P-521 (FIPS 186-4, D.1.2), by object id. */
const CURVE_ORDERS: ReadonlyMap<string, bigint> = new Map([
  ['2a8648ce3d030107', 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
  ['2b81040022', 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n],
  [
    '2b81040023',
    0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  ],
]);

/** Object ids of signatures, their bytes in hexadecimal. Those with MD5 and SHA-1 can be forged. */
const STRONG_SIGNATURES: ReadonlySet<string> = new Set([
  // sha256WithRSAEncryption, sha384..., sha512...: 1.2.840.113549.1.1.11 to 13
  ...['2a864886f70d01010b', '2a864886f70d01010c', '2a864886f70d01010d'],
  // ecdsa-with-SHA256, -SHA384, -SHA512: 1.2.840.10045.4.3.2 to 4
  ...['2a8648ce3d040302', '2a8648ce3d040303', '2a8648ce3d040304'],
  // Ed25519: 1.3.101.112
  '2b6570',
]);

/** Whether a signature of this algorithm counts. `objectId` are its bytes in hexadecimal. */
export function isStrongSignature(objectId: string): boolean {
  return STRONG_SIGNATURES.has(objectId);
}

/**
 * Whether a key is of a kind and strength that counts.
 *
 * @throws DerError a key of RSA that has no modulus
 */
export function isStrongKey({ algorithm, curve, bits }: PublicKeyFacts): boolean {
  if (algorithm === EC) return curve !== null && CURVE_ORDERS.has(curve);
  if (algorithm !== RSA) return algorithm === ED25519;
  const modulus = new DerReader(bits).enter(TAG.sequence).next(TAG.integer).content.toString('hex').replace(/^0+/, '');
  const length = modulus.length * 4 - (Math.clz32(Number.parseInt(modulus[0] ?? '0', 16)) - 28);
  return length >= RSA_BITS.min && length <= RSA_BITS.max;
}

/** Order of the group of a key's curve; null for keys of other kinds. */
export function curveOrderOf({ algorithm, curve }: PublicKeyFacts): bigint | null {
  return algorithm === EC && curve !== null ? (CURVE_ORDERS.get(curve) ?? null) : null;
}
