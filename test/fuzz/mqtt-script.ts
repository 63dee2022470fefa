import { encode, type Version } from '../conformance/wire.js';
import { Random } from '../faults/plans/random.js';
import { brokenPacket, oddConnect, oddPacket } from './packets.js';

/** What one connection sends, made from seed and index alone, so that a find needs no recording. */
export interface Script {
  readonly transport: 'tcp' | 'websocket';
  readonly version: Version;
  /** Each is one write. */
  readonly chunks: readonly Buffer[];
  readonly packets: number;
  readonly broken: number;
  /** Whether its CONNECT is whole, so that the version of the answers is known. */
  readonly greets: boolean;
  /** How it goes: with a FIN, with a reset, or not before the node ends it. */
  readonly leaves: 'fin' | 'reset';
}

/** Share of the connections that come as WebSockets. */
const WEBSOCKETS = 0.15;
/** Client ids, so that takeovers and sessions are met. */
const CLIENTS = 200;

export function mqttScript(seed: number, index: number): Script {
  const random = new Random(seed).fork(`connection ${index}`);
  const version: Version = random.next() < 0.5 ? 4 : 5;
  const packets: Buffer[] = [];
  let broken = 0;
  const greets = random.next() < 0.92;
  if (greets) packets.push(encode(oddConnect(random, version, `fuzz-${random.int(1, CLIENTS)}`)));
  else {
    packets.push(brokenPacket(random, version));
    broken++;
  }
  for (let left = random.int(0, 24); left > 0; left--) packets.push(encode(oddPacket(random, version)));
  for (let left = random.int(1, 3); left > 0; left--) {
    packets.push(brokenPacket(random, version));
    broken++;
  }
  const transport = random.next() < WEBSOCKETS ? 'websocket' : 'tcp';
  const stream = transport === 'tcp' ? packets : packets.map((packet) => frame(packet, random));
  return {
    transport,
    version,
    chunks: split(Buffer.concat(stream), random),
    packets: packets.length,
    broken,
    greets,
    leaves: random.next() < 0.5 ? 'fin' : 'reset',
  };
}

/** Most connections write once; some hand their bytes out in pieces that fit nothing. */
function split(bytes: Buffer, random: Random): Buffer[] {
  if (random.next() < 0.85) return [bytes];
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const next = at + random.pick([1, 2, 3, 7, 50, 1000]);
    chunks.push(bytes.subarray(at, next));
    at = next;
    // A byte at a time for a thousand bytes costs more than it finds.
    if (chunks.length === 20) return [...chunks, bytes.subarray(at)];
  }
  return chunks;
}

/** A masked WebSocket frame of the client; a mask of zeros leaves the bytes as they are (RFC 6455, 5.3). */
function frame(payload: Buffer, random: Random): Buffer {
  const roll = random.next();
  // Binary; seldom text, a continuation, a ping or a close.
  const opcode = roll < 0.96 ? 2 : random.pick([0, 1, 8, 9, 10]);
  const size = payload.length;
  // No packet here has 64 KiB.
  const length = size < 126 ? [0x80 | size] : [0x80 | 126, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), payload]);
}
