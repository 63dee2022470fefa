import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { ANONYMOUS } from '../../src/access/principal.js';
import {
  acknowledge,
  connect,
  encode,
  four,
  PROPERTY,
  publish,
  subscribe,
  type Property,
} from '../conformance/wire.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { RawMqtt } from '../harness/raw-mqtt.js';
import { until } from '../harness/until.js';

/** What must not be left behind, or go astray, when a connection ends. */

const topic = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;
const expiry: Property = { id: PROPERTY.sessionExpiry, bytes: four(60) };

let node: MqttNode;
let httpPort: number;
const clients: RawMqtt[] = [];
let slow: RawMqtt;
let drip: NodeJS.Timeout;

const open = async (clientId: string, options = {}): Promise<RawMqtt> => {
  const raw = await RawMqtt.connect(node.port, { clientId, ...options });
  clients.push(raw);
  return raw;
};

async function webSocket(): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${httpPort}/mqtt`, 'mqtt');
  await once(ws, 'open');
  return ws;
}

beforeAll(async () => {
  node = await startMqttNode({ mqtt: { deltaOnSubscribe: false } });
  httpPort = await node.attachHttp();
  // A byte now and then: the node gives it its deadline while the other tests run.
  slow = await RawMqtt.open(node.port);
  const packet = encode(connect({ version: 5, clientId: 'x'.repeat(120), clean: true }));
  let at = 0;
  drip = setInterval(() => void slow.socket.write(packet.subarray(at, ++at)), 500);
});

afterAll(async () => {
  clearInterval(drip);
  slow.end();
  for (const raw of clients) raw.end();
  await node.stop();
});

it('takes what was not acknowledged to the connection that takes over, and sends none of it to the other', async () => {
  const options = { clean: false, properties: [expiry] };
  const before = await open('taken', options);
  before.send(subscribe(5, 1, [{ filter: topic('taken', 'update/accepted'), options: 1 }]));
  await before.next('suback');
  const writer = await open('writer');
  writer.send(publish({ version: 5, topic: topic('taken', 'update'), payload: '{"state":{"reported":{"n":1}}}', qos: 1, id: 7 })); // prettier-ignore
  await before.next('publish');
  const after = await open('taken', options);
  await before.ended();
  await after.next('publish');
  expect(before.events.filter(({ kind }) => kind === 'publish')).toHaveLength(1);
});

it('grants nothing more to a client that a refusal has ended', async () => {
  const raw = await open('refused');
  const refused = { filter: 'no/shadow', options: 0 };
  const granted = { filter: topic('left-behind', 'update/accepted'), options: 0 };
  const before = node.broker.budget.used;
  raw.send(
    subscribe(
      5,
      1,
      Array.from({ length: 64 }, () => refused),
    ),
  );
  await raw.next('suback');
  raw.send(subscribe(5, 2, [...Array.from({ length: 63 }, () => refused), granted]));
  await raw.ended();
  expect(node.broker.wants(granted.filter)).toBe(false);
  expect(node.broker.budget.used).toBe(before);
});

it('sends a client that acknowledges nothing a thousand messages, and the others behind its PUBACKs', async () => {
  const raw = await open('silent');
  const filter = topic('many', 'update/accepted');
  raw.send(subscribe(5, 1, [{ filter, options: 1 }]));
  await raw.next('suback');
  const { tenant } = ANONYMOUS;
  for (let n = 0; n < 1_100; n++) node.broker.send({ tenant, topic: filter, payload: String(n) });
  const messages = (): number => raw.events.filter(({ kind }) => kind === 'publish').length;
  await until('the first of them', () => messages() === 1_000);
  expect(await raw.answers()).toBe(true);
  expect(messages()).toBe(1_000);
  for (let id = 1; id <= 100; id++) raw.send(acknowledge(4, id));
  await until('the others', () => messages() === 1_100);
});

describe('a WebSocket', () => {
  const hello = encode(connect({ version: 4, clientId: 'web', clean: true, keepAlive: 0 }));
  const isConnected = (): boolean => node.broker.clients().some(({ clientId }) => clientId === 'web');

  it.each(['close', 'terminate'] as const)('that its client ends with %s leaves nothing', async (how) => {
    const open = node.broker.deadlines.size;
    const ws = await webSocket();
    ws.send(hello);
    await until('the connection', isConnected);
    ws[how]();
    await until('its end', () => !isConnected() && node.broker.deadlines.size <= open);
  });

  it('ends with a frame of text, even if it holds a packet', async () => {
    const ws = await webSocket();
    const closed = once(ws, 'close');
    ws.send(hello.toString('latin1'));
    await closed;
    expect(isConnected()).toBe(false);
  });

  it('that floods pings and reads nothing is ended', async () => {
    const ws = await webSocket();
    ws.send(hello);
    await until('the connection', isConnected);
    const socket = (ws as unknown as { _socket: Socket })._socket;
    socket.pause();
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125]), Buffer.alloc(4 + 125)]);
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => ping));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    let poured = 0;
    while (isConnected() && poured < 64e6) {
      poured += pings.length;
      if (!socket.write(pings)) await Promise.race([once(socket, 'drain').catch(() => undefined), closed]);
    }
    await until('its end', () => !isConnected());
    socket.resume();
    ws.terminate();
  });
});

it('ends a client whose CONNECT comes byte by byte', async () => {
  await slow.ended();
  expect(slow.events).toEqual([]);
});

it('says nothing to a client that has sent no CONNECT when the node ends', async () => {
  const silent = await RawMqtt.open(node.port);
  clients.push(silent);
  await until('the connection', () => node.broker.deadlines.size > 0);
  await node.transport.drain();
  await silent.ended();
  expect(silent.events).toEqual([]);
});
