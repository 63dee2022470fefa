import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { freePort } from '../../harness/ports.js';
import { ACCEPT_GUID } from '../load/web-socket-bytes.js';

/**
 * What telling many readers costs by itself: each update is written to every open response, and to every WebSocket, as
 * one frame of the bytes that this service would send for it.
 */
const responses = new Set<ServerResponse>();
const sockets = new Set<Duplex>();

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: bookmark\ndata: {}\n\n');
    responses.add(response);
    return void response.on('close', () => responses.delete(response));
  }
  let body = '';
  request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
  request.on('end', () => {
    tell(body);
    response.writeHead(200, { 'content-length': 2 }).end('{}');
  });
});

server.on('upgrade', (request, socket) => {
  const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}${ACCEPT_GUID}`).digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Protocol: umbra.v1\r\n\r\n`,
  );
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => undefined);
});

function tell(body: string): void {
  const data = JSON.stringify({
    kind: 'updated',
    thing: 'hub',
    shadow: null,
    version: 1,
    revision: 1,
    time: new Date().toISOString(),
    patch: JSON.parse(body) as unknown,
    delta: null,
    document: JSON.parse(body) as unknown,
    principal: 'anonymous'.padEnd(200, '.'),
  });
  const text = `event: change\nid: MS5jMS4wLjEyMDcuYWxs\ndata: ${data}\n\n`;
  for (const response of responses) response.write(text);
  const message = Buffer.from(`{"type":"change","id":"MS5jMS4wLjEyMDcuYWxs","data":${data}}`);
  const head = Buffer.from([0x81, 126, message.length >> 8, message.length & 0xff]);
  const frame = Buffer.concat([head, message]);
  for (const socket of sockets) socket.write(frame);
}

const port = await freePort();
server.listen(port, '127.0.0.1', () => process.stdout.write(`${port}\n`));
