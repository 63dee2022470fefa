/** MQTT packets byte by byte, so that a test can also build those that no library would. */

export type Part = number | string | Buffer | readonly Part[];

/** A number is a byte, a string has its length before it. */
export function bytes(...parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map((part) => {
      if (typeof part === 'number') return Buffer.from([part]);
      if (typeof part === 'string') return sized(Buffer.from(part));
      return Buffer.isBuffer(part) ? part : bytes(...(part as readonly Part[]));
    }),
  );
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

export function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}

export function variable(value: number): Buffer {
  const result: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) result.push((left & 0x7f) | 0x80);
  return Buffer.from([...result, left]);
}

/** Raw bytes with their length before them: a string that may be ill-formed, or binary data. */
export function sized(content: Buffer): Buffer {
  return Buffer.concat([uint16(content.length), content]);
}

/** Properties of MQTT 5 with their length before them. */
export function properties(...parts: readonly Part[]): Buffer {
  const content = bytes(...parts);
  return Buffer.concat([variable(content.length), content]);
}

/** A packet with this first byte; its remaining length fits. */
export function packet(first: number, ...parts: readonly Part[]): Buffer {
  const content = bytes(...parts);
  return Buffer.concat([Buffer.from([first]), variable(content.length), content]);
}

/** A CONNECT that everybody accepts. */
export function connect(level: 4 | 5): Buffer {
  return packet(0x10, 'MQTT', level, 0x02, uint16(60), level === 5 ? properties() : [], 'c1');
}
