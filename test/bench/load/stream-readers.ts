import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { HOST, HttpConnection } from './http-connection.js';
import { serve } from './helper.js';
import type { Sample } from './sample.js';
import { openingRequest } from './web-socket-bytes.js';
import { WindowClock } from './window.js';

/** A program of the load: many readers of the stream of one shadow, and who changes it. Readers only look for changes. */
export type Transport = 'sse' | 'websocket';

interface Opening {
  readonly port: number;
  readonly count: number;
  readonly transport: Transport;
}

const STREAM = '/v1/things/hub/watch';
/** Changes on their way at once, each of a shadow of its own: the store works while readers are told. */
const AHEAD = 4;
/** A reader may lag behind another by as many changes as are on their way. */
const SENT_KEPT = 2 * AHEAD;
/** What begins each change. Neither is in its data. */
const MARKS: Readonly<Record<Transport, string>> = { sse: 'event: change\n', websocket: '{"type":"change"' };
/** Readers that are opened at once. */
const AT_ONCE = 100;
/** Milliseconds for the last deliveries of a window. */
const QUIET_MS = 20_000;

const clock = new WindowClock();
const sockets: Socket[] = [];
const publishers: HttpConnection[] = [];
/** Deliveries, and when each of the changes was sent that some reader has not got yet. */
let got = 0;
let sent = 0;
const sentAt: number[] = [];
let running = false;

serve({
  async open({ port, count, transport }: Opening): Promise<void> {
    for (let i = 0; i < AHEAD; i++) publishers.push(await HttpConnection.open(port));
    for (let i = 0; i < count; i += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - i) }, () => read(port, transport));
      sockets.push(...(await Promise.all(some)));
    }
  },
  async run(seconds: number): Promise<Sample> {
    running = true;
    for (let i = 0; i < AHEAD; i++) publish();
    const sample = await clock.measure(seconds);
    running = false;
    const deadline = Date.now() + QUIET_MS;
    while (got < sent * sockets.length) {
      if (Date.now() > deadline) throw new Error(`${sent * sockets.length - got} deliveries are missing`);
      await pause(5);
    }
    return sample;
  },
});

/** Resolves when the stream has begun. */
function read(port: number, transport: Transport): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: HOST, noDelay: true });
    const request = `GET ${STREAM} HTTP/1.1\r\nHost: ${HOST}\r\nAccept: text/event-stream\r\n\r\n`;
    socket.write(transport === 'sse' ? request : openingRequest(STREAM, HOST));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('a stream ended')));
    socket.once('data', (first) => {
      const status = first.toString('latin1').slice(9, 12);
      if (status !== '200' && status !== '101') return reject(new Error(`HTTP ${status}`));
      follow(socket, MARKS[transport]);
      resolve(socket);
    });
  });
}

function follow(socket: Socket, mark: string): void {
  let end = '';
  let place = sent;
  socket.on('data', (chunk) => {
    const text = end + chunk.toString('latin1');
    let from = 0;
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, from)) {
      from = at + mark.length;
      took(place++);
    }
    // A mark may be cut.
    end = text.slice(Math.max(from, text.length - mark.length + 1));
  });
}

/** Changes come to each reader in order, so `place` tells which one it was; the clock counts all of them. */
function took(place: number): void {
  clock.done(sentAt[place % SENT_KEPT] ?? 0);
  got++;
  if (running && got === (sent - AHEAD + 1) * sockets.length) publish();
}

function publish(): void {
  sentAt[sent % SENT_KEPT] = performance.now();
  const shadow = sent % AHEAD;
  const body = `{"state":{"reported":{"n":${++sent},"door":"closed"}}}`;
  publishers[shadow]?.send('POST', `/things/hub/shadow?name=n${shadow}`, body).catch((error: unknown) => {
    process.stderr.write(`an update failed: ${String(error)}\n`);
    process.exit(1);
  });
}
