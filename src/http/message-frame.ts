/** First byte of a frame that is a whole message of text: FIN and opcode 1 of RFC 6455 section 5.2. */
const TEXT = 0x81;
/** Bytes up to which the second byte is the length; up to 64 KiB two bytes follow it, then eight. */
const SHORT = 125;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

/** A message of text as a server sends it over a WebSocket, to be written to as many sockets as one likes. No errors. */
export function messageFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([headOf(payload.length), payload]);
}

function headOf(bytes: number): Buffer {
  if (bytes <= SHORT) return Buffer.from([TEXT, bytes]);
  if (bytes <= 0xffff) return Buffer.from([TEXT, TWO_BYTES, bytes >> 8, bytes & 0xff]);
  const head = Buffer.alloc(10);
  head[0] = TEXT;
  head[1] = EIGHT_BYTES;
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return head;
}
