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

const STREAM = '/v1/things/hub/shadow/watch';
/** What begins each change. Neither is in its data. */
const MARKS: Readonly<Record<Transport, string>> = { sse: 'event: change\n', websocket: '{"type":"change"' };
/** Readers that are opened at once. */
const AT_ONCE = 100;
/** Milliseconds for the last deliveries of a window. */
const QUIET_MS = 20_000;

const clock = new WindowClock();
const sockets: Socket[] = [];
let publisher: HttpConnection | null = null;
let got = 0;
let sent = 0;
let sentAt = 0;
let running = false;

serve({
  async open({ port, count, transport }: Opening): Promise<void> {
    publisher = await HttpConnection.open(port);
    for (let i = 0; i < count; i += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - i) }, () => read(port, transport));
      sockets.push(...(await Promise.all(some)));
    }
  },
  async run(seconds: number): Promise<Sample> {
    running = true;
    publish();
    const sample = await clock.measure(seconds);
    running = false;
    const deadline = Date.now() + QUIET_MS;
    while (got < sockets.length) {
      if (Date.now() > deadline) throw new Error(`${sockets.length - got} deliveries are missing`);
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
  socket.on('data', (chunk) => {
    const text = end + chunk.toString('latin1');
    let from = 0;
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, from)) {
      from = at + mark.length;
      took();
    }
    // A mark may be cut.
    end = text.slice(Math.max(from, text.length - mark.length + 1));
  });
}

/** The next update is sent when every reader has the last one: nothing piles up. */
function took(): void {
  clock.done(sentAt);
  if (++got === sockets.length && running) publish();
}

function publish(): void {
  got = 0;
  sentAt = performance.now();
  const body = `{"state":{"reported":{"n":${++sent},"door":"closed"}}}`;
  publisher?.send('POST', '/things/hub/shadow', body).catch((error: unknown) => {
    process.stderr.write(`an update failed: ${String(error)}\n`);
    process.exit(1);
  });
}
