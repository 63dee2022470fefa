import { createHash } from 'node:crypto';
import { DerError, DerReader, TAG } from './der.js';

/** SHA-256 in hexadecimal without colons, as AWS forms certificate ids. */
export function fingerprintOf(der: Buffer): string {
  return createHash('sha256').update(der).digest('hex');
}

/**
 * The fingerprint of the only other certificate that whoever has this one can make of it. An ECDSA signature (r, s) is
 * also one as (r, n - s), n being the order of the curve, so a device could evade the revocation of its certificate by
 * changing the signature, which is the one part that is not signed. So a certificate is revoked with its twin.
 *
 * @param der the whole certificate, whose signature has been found good
 * @param order of the group of the issuer's curve; null for keys of other kinds, whose signatures have one form
 * @returns null without a twin
 */
export function twinFingerprintOf(der: Buffer, order: bigint | null): string | null {
  if (order === null) return null;
  const [signed, algorithm, signature] = [...new DerReader(der).enter(TAG.sequence).rest()];
  if (!signed || !algorithm || !signature) throw new DerError('no certificate');
  const pair = new DerReader(signature.content.subarray(1)).enter(TAG.sequence);
  const r = pair.next(TAG.integer);
  const s = BigInt(`0x${pair.next(TAG.integer).content.toString('hex')}`);
  const twin = element(TAG.sequence, r.whole, element(TAG.integer, bytesOf(order - s)));
  const bits = element(TAG.bitString, Buffer.from([0]), twin);
  return fingerprintOf(element(TAG.sequence, signed.whole, algorithm.whole, bits));
}

/** The content of a positive INTEGER. */
function bytesOf(value: bigint): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return (bytes[0] ?? 0) < 0x80 ? bytes : Buffer.concat([Buffer.from([0]), bytes]);
}

function element(tag: number, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const long = Buffer.from([0x82, length >> 8, length & 0xff]);
  const lengthBytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [...long];
  return Buffer.concat([Buffer.from([tag, ...lengthBytes]), ...parts]);
}
