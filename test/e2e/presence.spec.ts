import { EventReader, type StreamEvent } from '../harness/event-reader.js';
import { RawMqtt } from '../harness/raw-mqtt.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { until } from '../harness/until.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { http, type Answer } from './steps/rest.js';

const LEASE_SECONDS = 2;

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let a: ReadyNode;
let b: ReadyNode;
const RESUMED = 'lamp-9';

/** On B, which lives. */
let follower: Device;

beforeAll(async () => {
  etcd = await startEtcd();
  cleanup(() => etcd.stop());
  const env = (UMBRA_NODE_ID: string): Record<string, string> => ({
    ...{ UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_NODE_ID },
    UMBRA_PRESENCE_FENCE: 'true',
    UMBRA_PRESENCE_LEASE_SECONDS: String(LEASE_SECONDS),
  });
  [a, b] = await Promise.all([startNode({ env: env('a') }), startNode({ env: env('b') })]);
  cleanup(() => a.stop());
  cleanup(() => b.stop());
  follower = await Device.connect(b.mqttUrl, { clientId: 'follower' });
  cleanup(() => follower.close());
  await follower.subscribe('$aws/events/presence/+/+');
});

const join = async (node: ReadyNode, clientId: string): Promise<Device> => {
  const device = await Device.connect(node.mqttUrl, { clientId });
  cleanup(() => device.close());
  return device;
};

/** What B says of a client. */
const presenceOf = async (clientId: string): Promise<Answer['json']> =>
  (await http(`${b.httpUrl}/v1/presence/${clientId}`)).json;

const known = (clientId: string, connected: boolean, nodeId: string): Promise<Answer['json']> =>
  until(`${clientId} ${connected ? 'on' : 'off'} ${nodeId}`, async () => {
    const found = await presenceOf(clientId);
    return found.connected === connected && found.nodeId === nodeId && found;
  });

/** The events of a client, as B has told them. */
const events = (clientId: string): Answer['json'][] =>
  follower.messages.filter(({ json }) => json.clientId === clientId).map(({ json }) => json);

it('a client connects, moves to the other node and leaves: epochs rise, and the old connection hides nothing', async () => {
  const first = await join(a, 'lamp');
  const one = await known('lamp', true, 'a');
  expect(one).toMatchObject({ clientId: 'lamp', principal: 'anonymous', lastDisconnect: null });

  const second = await join(b, 'lamp');
  const two = await known('lamp', true, 'b');
  expect(two.epoch).toBeGreaterThan(one.epoch);
  await first.client.endAsync();
  // Written after the end of the first connection was, if that had been written at all.
  await (await join(a, 'after-lamp')).client.endAsync();
  await known('after-lamp', false, 'a');
  expect(await presenceOf('lamp')).toMatchObject({ connected: true, nodeId: 'b', epoch: two.epoch });

  await second.client.endAsync();
  expect(await known('lamp', false, 'b')).toMatchObject({ epoch: two.epoch, lastDisconnect: { reason: 'client' } });
  await until('the events', () => events('lamp').length === 3);
  const [connected, moved, left] = events('lamp');
  expect([connected, moved, left].map(({ eventType }) => eventType)).toEqual([
    'connected',
    'connected',
    'disconnected',
  ]);
  expect(connected).toEqual({
    ...{ clientId: 'lamp', eventType: 'connected', timestamp: Date.parse(one.since), sessionIdentifier: one.session },
    ...{ principalIdentifier: 'anonymous', ipAddress: '127.0.0.1', versionNumber: one.epoch },
  });
  expect(left).toMatchObject({
    ...{ sessionIdentifier: two.session, versionNumber: two.epoch, clientInitiatedDisconnect: true },
    disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
  });
});

it('a write over an older connection is refused, and nothing of it is stored', async () => {
  const [older, newer] = [await join(a, 'modem'), await join(b, 'modem')];
  for (const device of [older, newer])
    await device.subscribe(
      ...['update/rejected', 'update/accepted', 'delete/rejected'].map((tail) => topic('m', tail)),
    );
  const write = async (device: Device, at: number) => {
    const { topic: name, json } = await device.request('m', 'update', { state: { reported: { at } } });
    return [name, json.code, json.message];
  };
  const late = [409, 'This client has connected anew since; nothing was written'];
  await known('modem', true, 'b');
  expect((await write(newer, 1))[0]).toBe(topic('m', 'update/accepted'));
  expect(await write(older, 2)).toEqual([topic('m', 'update/rejected'), ...late]);
  expect((await older.request('m', 'delete')).json.code).toBe(409);
  // It has come back to the first node, with a connection of its own.
  const newest = await join(a, 'modem');
  await known('modem', true, 'a');
  await newest.subscribe(topic('m', 'update/accepted'));
  expect((await write(newest, 3))[0]).toBe(topic('m', 'update/accepted'));
  expect((await write(newer, 4)).slice(1)).toEqual(late);
  expect((await http(`${b.httpUrl}/v1/things/m/shadow`)).json).toMatchObject({
    version: 2,
    state: { reported: { at: 3 } },
  });
});

it('writes of a client that leaves at once are kept, each connection following the last', async () => {
  for (let at = 1; at <= 20; at++) {
    const device = await Device.connect((at % 2 ? a : b).mqttUrl, { clientId: 'brief' });
    void device.publish(topic('brief', 'update'), { state: { reported: { [`n${at}`]: at } } });
    await device.client.endAsync();
  }
  const { json } = await http(`${a.httpUrl}/v1/things/brief/shadow`);
  expect(json.version).toBe(20);
});

it('a stream of changes brings presence where it is asked for, and resumes on the other node without a gap', async () => {
  const path = `/v1/things/${RESUMED}/watch?kind=presence&kind=updated`;
  const write = (n: number) =>
    http(`${b.httpUrl}/v1/things/${RESUMED}/shadow/reported`, { method: 'PATCH', body: `{"n":${n}}` });
  const said = ({ data }: StreamEvent): unknown =>
    data['kind'] === 'presence' ? [data['nodeId'], data['connected']] : (data['patch'] as object);
  const take = async (reader: EventReader, count: number): Promise<StreamEvent[]> => {
    const taken: StreamEvent[] = [];
    while (taken.length < count) taken.push(await reader.nextOf('change', 'initial'));
    reader.close();
    return taken;
  };
  const onA = await EventReader.open(a.httpUrl + path);
  const plain = await EventReader.open(`${a.httpUrl}/v1/things/${RESUMED}/watch`);
  const first = await join(a, RESUMED);
  const { clientId, ...one } = await known(RESUMED, true, 'a');
  await write(1);
  const before = await take(onA, 2);
  expect(before.map(said)).toEqual([['a', true], { reported: { n: 1 } }]);
  expect(before[0]?.data).toEqual({
    kind: 'presence',
    tenant: 'default',
    thing: clientId,
    revision: one.epoch,
    ...one,
  });
  await first.client.endAsync();
  await known(RESUMED, false, 'a');
  await write(2);
  const second = await join(b, RESUMED);
  await known(RESUMED, true, 'b');
  await second.client.endAsync();
  await known(RESUMED, false, 'b');
  const after = await take(await EventReader.open(b.httpUrl + path, { 'last-event-id': before[1]!.id! }), 4);
  expect(after.map(said)).toEqual([['a', false], { reported: { n: 2 } }, ['b', true], ['b', false]]);
  const revisions = [...before, ...after].map(({ data }) => Number(data['revision']));
  expect(revisions).toEqual([...new Set(revisions)].sort((x, y) => x - y));
  const again = await take(await EventReader.open(a.httpUrl + path, { 'last-event-id': before[0]!.id! }), 5);
  expect(again.map(({ id }) => id)).toEqual([before[1]!, ...after].map(({ id }) => id));
  const present = await take(await EventReader.open(`${b.httpUrl}${path}&initial=true`), 2);
  expect(present.map(said)).toEqual([{ reported: { n: 2 } }, ['b', false]]);
  // Who does not ask for it gets none.
  expect((await take(plain, 2)).map(said)).toEqual([{ reported: { n: 1 } }, { reported: { n: 2 } }]);
});

it('a connection that is reset, and one that keeps silent, have reasons of their own', async () => {
  const port = Number(new URL(a.mqttUrl).port);
  const reset = await RawMqtt.connect(port, { clientId: 'reset' });
  const silent = await RawMqtt.connect(port, { clientId: 'silent', keepAlive: 1 });
  await known('reset', true, 'a');
  reset.socket.resetAndDestroy();
  expect((await known('reset', false, 'a')).lastDisconnect.reason).toBe('connection-lost');
  const gone = await known('silent', false, 'a');
  expect(gone.lastDisconnect.reason).toBe('keep-alive-timeout');
  // It was last heard at its CONNECT, at least 1.5 keep-alives before.
  expect(Date.parse(gone.since) - Date.parse(gone.lastSeen)).toBeGreaterThanOrEqual(1_400);
  await until('the events', () => events('silent').length === 2 && events('reset').length === 2);
  expect(events('reset')[1].disconnectReason).toBe('CONNECTION_LOST');
  expect(events('silent')[1].disconnectReason).toBe('MQTT_KEEP_ALIVE_TIMEOUT');
  silent.socket.destroy();
});

it('two connections on one node, one after the other, with one client id: one session follows the other', async () => {
  const first = await join(a, 'twin');
  const one = await known('twin', true, 'a');
  const second = await join(a, 'twin');
  const two = await until('the second session', async () => {
    const found = await presenceOf('twin');
    return found.session !== one.session && found;
  });
  expect(two).toMatchObject({ connected: true, lastDisconnect: { reason: 'taken-over' } });
  await until('the end of the first', () => !first.client.connected);
  await second.client.endAsync();
  await known('twin', false, 'a');
  await until('the events', () => events('twin').length === 3);
  expect(events('twin').map(({ eventType }) => eventType)).toEqual(['connected', 'connected', 'disconnected']);
});

it('the presence of a thing is that of the client with its name, alone and in the list', async () => {
  const read = async (path: string): Promise<Answer['json']> => (await http(`${b.httpUrl}/v1/things${path}`)).json;
  const device = await join(a, 'door');
  for (const thing of ['door', 'shelf']) {
    const url = `${b.httpUrl}/v1/things/${thing}/shadow/reported`;
    expect((await http(url, { method: 'PATCH', body: '{"n":1}' })).status).toBe(200);
  }
  const { clientId, ...presence } = await known('door', true, 'a');
  expect(clientId).toBe('door');
  expect(await read('/door')).toMatchObject({ thing: 'door', presence });
  expect(await read('')).toMatchObject({
    things: expect.arrayContaining([
      expect.objectContaining({ thing: 'door', presence }),
      expect.objectContaining({ thing: 'shelf', presence: null }),
    ]),
  });
  await device.close();
  expect((await presenceOf('shelf')).status).toBe(404);
});

it('a node that is killed: its clients are disconnected within its lease, and one that has moved is not', async () => {
  const moved = await join(a, 'mover');
  const lost = await RawMqtt.connect(Number(new URL(a.mqttUrl).port), { clientId: 'loser' });
  await known('mover', true, 'a');
  const before = await known('loser', true, 'a');
  await join(b, 'mover');
  const after = await known('mover', true, 'b');
  await a.kill9();
  const gone = await known('loser', false, 'a');
  expect(gone).toMatchObject({ epoch: before.epoch, session: before.session, lastDisconnect: { reason: 'node-lost' } });
  expect(await presenceOf('mover')).toMatchObject({ connected: true, nodeId: 'b', epoch: after.epoch });
  await until('the event', () => events('loser').length === 2);
  expect(events('loser')[1]).toMatchObject({ eventType: 'disconnected', disconnectReason: 'SERVER_ERROR' });
  await until('the events', () => events('mover').length >= 2);
  expect(events('mover').map(({ eventType }) => eventType)).toEqual(['connected', 'connected']);
  moved.client.end(true);
  lost.socket.destroy();
});
