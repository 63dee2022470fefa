import { connect, type Socket } from 'node:net';
import { serve } from './helper.js';

/**
 * A program of the load: one client that means harm, with a processor's time of its own. It writes as fast as it is read,
 * and comes again when it is thrown out.
 */
export type AttackKind = 'pings' | 'publishes' | 'streams';

export interface Attack {
  readonly kind: AttackKind;
  /** Of the door that is attacked. */
  readonly port: number;
  readonly connections: number;
}

/** What it did so far. */
export interface Attacked {
  readonly megabytes: number;
  readonly opened: number;
}

/** Milliseconds until a connection that was ended is opened again. */
const AGAIN_MS = 20;
const CHUNK_PACKETS = 4096;
const PINGREQ = Buffer.from([0xc0, 0]);
/** PUBLISH of QoS 0 to `$x`, where nobody may publish: 6 bytes. */
const REFUSED = Buffer.from([0x30, 4, 0, 2, 0x24, 0x78]);

const sockets = new Set<Socket>();
let running = false;
let bytes = 0;
let opened = 0;
let last = 0;

serve({
  async start({ kind, port, connections }: Attack): Promise<void> {
    running = true;
    bytes = 0;
    opened = 0;
    for (let i = 0; i < connections; i++) attack(kind, port);
  },
  async stop(): Promise<Attacked> {
    running = false;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    return { megabytes: bytes / 1024 ** 2, opened };
  },
});

function attack(kind: AttackKind, port: number): void {
  if (!running) return;
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
    opened++;
    if (kind === 'streams') return void socket.write('GET /v1/watch?initial=true HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
    socket.write(connectPacket(`attacker-${++last}`));
    flood(socket, Buffer.alloc(CHUNK_PACKETS * (kind === 'pings' ? 2 : 6), kind === 'pings' ? PINGREQ : REFUSED));
  });
  sockets.add(socket);
  // Nothing is ever read, except what comes of refusals.
  if (kind === 'publishes') socket.resume();
  else socket.pause();
  socket.on('error', () => undefined);
  socket.on('close', () => {
    sockets.delete(socket);
    setTimeout(() => attack(kind, port), AGAIN_MS);
  });
}

function flood(socket: Socket, chunk: Buffer): void {
  const more = (): void => {
    if (!running || socket.destroyed) return;
    bytes += chunk.length;
    if (socket.write(chunk)) setImmediate(more);
    else socket.once('drain', more);
  };
  more();
}

/** MQTT 3.1.1, clean session, no keep-alive. */
function connectPacket(clientId: string): Buffer {
  const id = Buffer.from(clientId);
  const body = [0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 0, 0, id.length, ...id];
  return Buffer.from([0x10, body.length, ...body]);
}
