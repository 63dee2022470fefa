import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Decoder, type Event } from '../conformance/decode.js';
import type { Find, FuzzOptions, FuzzResult } from './fuzz.js';
import { mqttScript, type Script } from './mqtt-script.js';

/** Connections at once; most of their time they wait for the node. */
const AT_ONCE = 96;
/** Milliseconds that a connection stays silent before it is given up: its last packet may be cut off. */
const IDLE_MS = 60;
/** Connections before the end of a node among which its cause is looked for. */
export const SUSPECTS = 2_000;

const UPGRADE = Buffer.from(
  'GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n',
);

export interface MqttFuzzResult extends FuzzResult {
  /** Index of the connection after the last one. */
  readonly next: number;
}

/**
 * Sends broken packets over TCP and WebSocket.
 * @param first index of the first connection
 */
export async function fuzzMqtt(options: FuzzOptions, first = 0): Promise<MqttFuzzResult> {
  const { seed, count, rate, deadline, isOver } = options;
  const start = performance.now();
  const finds: Find[] = [];
  let [sent, broken, next] = [0, 0, first];
  const work = async (): Promise<void> => {
    while (sent < count && performance.now() < deadline && !isOver()) {
      const early = (sent / rate) * 1000 - (performance.now() - start);
      if (early > 0) {
        await pause(early);
        continue;
      }
      const script = mqttScript(seed, next++);
      sent += script.packets;
      broken += script.broken;
      const why = await playScript(script, options);
      if (why !== null) finds.push(findOf(script, why));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { sent, broken, connections: next - first, next, finds };
}

export function findOf({ transport, chunks }: Script, why: string): Find {
  return { transport, chunks: chunks.map((chunk) => chunk.toString('hex')), why };
}

type Target = Pick<FuzzOptions, 'httpUrl' | 'mqttUrl'>;

/** Plays one connection to its end. Returns what the node must not have said, or null. Never rejects. */
export function playScript(script: Script, target: Target): Promise<string | null> {
  let why: string | null = null;
  const decoder = new Decoder(script.version, (event: Event) => {
    // A node that never read a whole CONNECT does not know the version.
    if (event.kind === 'bad' && script.greets) why ??= event.why;
  });
  const hears = script.transport === 'tcp' ? (chunk: Buffer): void => decoder.push(chunk) : () => undefined;
  return playChunks(script, target, hears).then(() => why);
}

export interface Bytes {
  readonly transport: Find['transport'];
  readonly chunks: readonly Buffer[];
  readonly leaves?: 'fin' | 'reset';
}

/** Writes chunks over one connection, and waits until the node ends it or falls silent. Never rejects. */
export function playChunks(
  { transport, chunks, leaves = 'fin' }: Bytes,
  { httpUrl, mqttUrl }: Target,
  hears: (chunk: Buffer) => void = () => {},
): Promise<void> {
  const port = Number(new URL(transport === 'tcp' ? mqttUrl : httpUrl).port);
  return new Promise((resolve) => {
    const isUpgraded = transport === 'websocket';
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      if (isUpgraded) socket.write(UPGRADE);
      else writeAll(socket, chunks);
    });
    let isOpen = !isUpgraded;
    socket.on('data', (chunk: Buffer) => {
      if (isOpen) return hears(chunk);
      isOpen = true;
      writeAll(socket, chunks);
    });
    socket.setTimeout(IDLE_MS, () => {
      if (leaves === 'reset') socket.resetAndDestroy();
      else socket.end(() => socket.destroy());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}

function writeAll(socket: Socket, chunks: readonly Buffer[], at = 0): void {
  if (socket.destroyed || at >= chunks.length) return;
  socket.write(chunks[at] as Buffer);
  // A turn between two writes, so that they do not leave as one.
  if (at + 1 < chunks.length) setImmediate(() => writeAll(socket, chunks, at + 1));
}
