import { jest } from '@jest/globals';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';
import { freePort } from '../../../test/harness/ports.js';
import { until } from '../../../test/harness/until.js';
import { platformOf } from '../platform.js';
import type { UmbraError } from '../umbra-error.js';
import type { Connection, ConnectionEvents } from './connection.js';
import { mqttDial } from './mqtt-dial.js';

/** Packets of MQTT 5, and the nibbles of a PUBLISH and a PUBACK. */
const CONNACK = Buffer.from([0x20, 3, 0, 0, 0]);
const DISCONNECT_NOT_AUTHORIZED = Buffer.from([0xe0, 2, 135, 0]);
const PUBLISH = 0x30;
const PUBACK = 0x40;

function dialTo(port: number, events: ConnectionEvents): Promise<Connection> {
  const dial = mqttDial({
    ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'lamp', username: undefined, protocolVersion: 5 },
    ...{ sessionSeconds: 0, clock: platformOf().clock, mqtt: {} },
  });
  return dial({ password: null, isFirst: true, signal: new AbortController().signal }, events);
}

it('the DISCONNECT of a node ends what is under way as a lost connection, and names the reason once', async () => {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.on('data', ([first = 0]) => {
      if ((first & 0xf0) === PUBLISH) socket.write(DISCONNECT_NOT_AUTHORIZED);
      else socket.write(CONNACK);
    });
  });
  const port = await freePort();
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const closed: UmbraError[] = [];
  const events = { message: () => undefined, closed: (error: UmbraError) => void closed.push(error) };
  const connection = await dialTo(port, events);
  const cause = expect.objectContaining({ code: 'not-allowed', status: 403 });
  const lost = { code: 'unreachable', status: null, retryable: true, cause };
  await expect(connection.publish('a', '{}')).rejects.toMatchObject({ ...lost, outcome: 'unknown' });
  await expect(connection.publish('a', '{}')).rejects.toMatchObject({ ...lost, outcome: 'not-applied' });
  expect(closed).toEqual([cause]);
  server.close();
  await once(server, 'close');
});

it('acknowledges a message and sends what it brings about with one write', async () => {
  // QoS 1, topic `a`, identifier 7.
  const message = Buffer.from([PUBLISH | 2, 6, 0, 1, 0x61, 0, 7, 0]);
  const sockets: Socket[] = [];
  const received: Buffer[] = [];
  const server = createServer((socket: Socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => void (received.push(chunk) === 1 && socket.write(CONNACK)));
  });
  const port = await freePort();
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const spies = [jest.spyOn(Socket.prototype, '_writev'), jest.spyOn(Socket.prototype, '_write')]; // prettier-ignore
  const writes = (): number =>
    spies.flatMap(({ mock }) => mock.contexts).filter((socket) => (socket as Socket).remotePort === port).length;
  let connection: Connection | null = null;
  // A device reports when the promise of the report before is settled: later than in the handler of the message.
  const report = (): void => void Promise.resolve().then(() => connection!.publish('b', '{}').catch(() => undefined));
  connection = await dialTo(port, { message: report, closed: () => undefined });
  const before = writes();
  sockets[0]!.write(message);
  const kinds = (): number[] => received.slice(1).flatMap(packetKinds);
  await until('both have arrived', () => kinds().length === 2);
  expect([kinds().sort(), writes() - before]).toEqual([[PUBLISH, PUBACK], 1]);
  connection.cut();
  server.close();
});

/** The packets of a chunk, each of less than 128 bytes. */
function packetKinds(chunk: Buffer): number[] {
  const kinds: number[] = [];
  for (let at = 0; at < chunk.length; at += 2 + chunk[at + 1]!) kinds.push(chunk[at]! & 0xf0);
  return kinds;
}
