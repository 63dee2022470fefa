/** Bits of a key usage by their numbers in RFC 5280 section 4.2.1.3. */
export const DIGITAL_SIGNATURE = 0;
export const KEY_CERT_SIGN = 5;

/** Object id of the extended key usage of TLS clients (1.3.6.1.5.5.7.3.2), its bytes in hexadecimal. */
export const CLIENT_AUTH = '2b06010505070302';

/** Whether a key usage has the bit of this number, below 8. The first bit is the highest of the first byte. */
export function allows(keyUsage: Buffer, number: number): boolean {
  return ((keyUsage[0] ?? 0) & (0x80 >> number)) !== 0;
}
