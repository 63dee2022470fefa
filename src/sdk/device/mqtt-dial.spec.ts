import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { freePort } from '../../../test/harness/ports.js';
import { platformOf } from '../platform.js';
import type { UmbraError } from '../umbra-error.js';
import { mqttDial } from './mqtt-dial.js';

/** Packets of MQTT 5, and the nibble of a PUBLISH. */
const CONNACK = Buffer.from([0x20, 3, 0, 0, 0]);
const DISCONNECT_NOT_AUTHORIZED = Buffer.from([0xe0, 2, 135, 0]);
const PUBLISH = 0x30;

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
  const dial = mqttDial({
    ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'lamp', username: undefined, protocolVersion: 5 },
    ...{ sessionSeconds: 0, clock: platformOf().clock, mqtt: {} },
  });
  const { signal } = new AbortController();
  const events = { message: () => undefined, closed: (error: UmbraError) => void closed.push(error) };
  const connection = await dial({ password: null, isFirst: true, signal }, events);
  const cause = expect.objectContaining({ code: 'not-allowed', status: 403 });
  const lost = { code: 'unreachable', status: null, retryable: true, cause };
  await expect(connection.publish('a', '{}')).rejects.toMatchObject({ ...lost, outcome: 'unknown' });
  await expect(connection.publish('a', '{}')).rejects.toMatchObject({ ...lost, outcome: 'not-applied' });
  expect(closed).toEqual([cause]);
  server.close();
  await once(server, 'close');
});
