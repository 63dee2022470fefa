/** The bytes in a buffer of their own: one from the pool of Node, of 8 KiB, would be kept whole by the few of them that stay. */
export function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  own.set(bytes);
  return own;
}
