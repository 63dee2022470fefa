import type { KeyObject } from 'node:crypto';

/** Bits of an RSA key. Longer ones make each check of a signature slow. */
const RSA_BITS = { min: 2048, max: 8192 } as const;

/** Orders of the groups of the curves P-256, P-384 and P-521, by the names of OpenSSL (FIPS 186-4, D.1.2). */
export const CURVE_ORDERS: ReadonlyMap<string, bigint> = new Map([
  ['prime256v1', 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
  ['secp384r1', 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n],
  [
    'secp521r1',
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

/** Whether a key is of a kind and strength that counts. */
export function isStrongKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  const { modulusLength = 0, namedCurve = '' } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa') return modulusLength >= RSA_BITS.min && modulusLength <= RSA_BITS.max;
  return asymmetricKeyType === 'ed25519' || (asymmetricKeyType === 'ec' && CURVE_ORDERS.has(namedCurve));
}
