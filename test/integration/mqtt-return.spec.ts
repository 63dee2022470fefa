import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { packet, properties, uint16 } from '../harness/mqtt-bytes.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';

const CLIENTS = 600;
const CONNACK = 0x20;
/** The turns before and after the test's own place in the loop, at 61 each. */
const PER_TURN = 122;

describe('devices that all come back at once', () => {
  let node: MqttNode;

  beforeAll(async () => {
    node = await startMqttNode();
  });

  afterAll(() => node.stop());

  it('are let in over several turns of the loop, in which others have theirs', async () => {
    let since = 0;
    let most = 0;
    const admit = node.broker.connect.bind(node.broker);
    node.broker.connect = (connection, packet) => {
      most = Math.max(most, ++since);
      admit(connection, packet);
    };
    let accepted = 0;
    const accept = node.broker.accept.bind(node.broker);
    node.broker.accept = (stream, how) => {
      accepted++;
      accept(stream, how);
    };
    let counting = setImmediate(function again() {
      since = 0;
      counting = setImmediate(again);
    });
    const sockets = Array.from({ length: CLIENTS }, () => connectTcp(node.port, '127.0.0.1'));
    const answers: number[] = [];
    for (const socket of sockets) socket.on('data', (chunk: Buffer) => answers.push(chunk[0] ?? 0));
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      // Node accepts one socket per turn, which would spread those of one process by itself.
      await until('all of them accepted', () => accepted === CLIENTS);
      for (const [i, socket] of sockets.entries()) socket.write(connectAs(`device-${i}`));
      await until('every CONNACK', () => answers.length >= CLIENTS);
    } finally {
      clearImmediate(counting);
      for (const socket of sockets) socket.destroy();
    }
    expect(answers).toEqual(Array(CLIENTS).fill(CONNACK));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(PER_TURN);
  });
});

function connectAs(clientId: string): Buffer {
  return packet(0x10, 'MQTT', 5, 0x02, uint16(60), properties(), clientId);
}
