const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Writes bytes as a number of base 62 with leading zeros: no character that a shell, a URL or a double click ends at.
 * @param length characters; 62 ** length must be at least 256 ** bytes.length
 * @throws RangeError when the number does not fit
 */
export function base62(bytes: Uint8Array, length: number): string {
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  while (text.length < length) {
    text = (ALPHABET[Number(rest % 62n)] as string) + text;
    rest /= 62n;
  }
  if (rest > 0n) throw new RangeError(`${bytes.length} bytes do not fit into ${length} characters`);
  return text;
}
