import { isUtf8 } from 'node:buffer';

/** Whether every byte is a character of ASCII but U+0000: the text is then its bytes. */
export function isPlainAscii(buffer: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = buffer[at] as number;
    if (byte === 0 || byte > 0x7f) return false;
  }
  return true;
}

/**
 * null: not a UTF-8 string of MQTT, because it is ill-formed, which includes surrogates (MQTT-1.5.4-1, 3.1.1:
 * MQTT-1.5.3-1), or contains U+0000 (MQTT-1.5.4-2, 3.1.1: MQTT-1.5.3-2). A byte order mark stays (MQTT-1.5.4-3).
 */
export function decodeUtf8(buffer: Buffer, start: number, end: number): string | null {
  if (isPlainAscii(buffer, start, end)) return buffer.toString('latin1', start, end);
  const bytes = buffer.subarray(start, end);
  return isUtf8(bytes) && !bytes.includes(0) ? bytes.toString('utf8') : null;
}
