import type { Properties } from './packet.js';
import { PROPERTIES, type Property, USER_PROPERTY } from './properties.js';

/** Bytes that a number takes as a variable byte integer. */
export function variableLength(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** The properties with their length before them, in the order of their identifiers. For packets that are rare. */
export function encodeProperties(properties: Readonly<Properties>): Buffer {
  const parts = PROPERTIES.flatMap((property) => {
    const value = properties[property.name];
    return value === undefined ? [] : [Buffer.from([property.id]), encodeValue(property, value)];
  });
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([encodeVariable(length), ...parts]);
}

/** User properties without the length of all properties before them. */
export function encodeUserProperties(properties: Readonly<Record<string, string>>): Buffer {
  const texts = Object.entries(properties).map(([name, value]) =>
    Buffer.concat([Buffer.from([USER_PROPERTY]), encodeText(name), encodeText(value)]),
  );
  return Buffer.concat(texts);
}

function encodeText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function encodeVariable(value: number): Buffer {
  const bytes = Buffer.alloc(variableLength(value));
  for (let at = 0, left = value; at < bytes.length; at++, left >>>= 7)
    bytes[at] = at < bytes.length - 1 ? (left & 0x7f) | 0x80 : left;
  return bytes;
}

function encodeValue({ kind }: Property, value: number | string | Buffer): Buffer {
  if (typeof value !== 'number') return encodeText(value);
  if (kind === 'positiveVariable') return encodeVariable(value);
  const size = kind === 'flag' ? 1 : kind === 'uint16' || kind === 'positiveUint16' ? 2 : 4;
  const bytes = Buffer.alloc(size);
  bytes.writeUIntBE(value, 0, size);
  return bytes;
}
