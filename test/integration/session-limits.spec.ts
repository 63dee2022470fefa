import { once } from 'node:events';
import { connect as connectTo, type Socket } from 'node:net';
import type { MqttClient } from 'mqtt';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

let node: SecureNode;
/** Sessions of one principal, and connections of one address. */
const [SESSIONS, CONNECTIONS] = [3, 20];
/** Connections of an address beyond that which hear it. */
const REFUSING = 32;
const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };
const QUOTA_EXCEEDED = { code: 0x97 };

beforeAll(async () => {
  const environment = { UMBRA_LIMIT_SESSIONS: String(SESSIONS), UMBRA_LIMIT_ADDRESS: String(CONNECTIONS) };
  node = await startSecureNode({ environment });
});
afterAll(() => node.stop());

const device = (thing: string, tenant?: string): Promise<string> =>
  node.make(thing, { thing, roles: ['device'] }, tenant);

/** Code, actor and address of each refusal. */
async function refusals(target: string): Promise<unknown[]> {
  const path = `/v1/audit?limit=100&outcome=refused&target=${encodeURIComponent(target)}`;
  const { body } = await node.ask('GET', path, node.admin);
  const events = body.events as { code: string; actor: { id: string } | null; address: string }[];
  return events.map(({ code, actor, address }) => [code, actor?.id ?? null, address]);
}

/** Whether the session of a client that comes for a moment was there before. */
async function visit(id: string, key: string): Promise<boolean> {
  const { client } = node.resume(id, key, KEPT);
  const sessionPresent = await new Promise<boolean>((resolve) =>
    client.once('connect', (connack) => resolve(connack.sessionPresent)),
  );
  await client.endAsync();
  node.clock.advance(1_000);
  return sessionPresent;
}

it('refuses a principal one connection more than it may have, and nobody else', async () => {
  const [lamp, door] = [await device('lamp'), await device('door')];
  const open: MqttClient[] = [];
  for (let n = 0; n < SESSIONS; n++) open.push(await node.connect(`lamp:${n}`, lamp));
  await expect(node.connect('lamp:more', lamp)).rejects.toMatchObject(QUOTA_EXCEEDED);
  await expect(node.connect('lamp:more', lamp, { protocolVersion: 4 })).rejects.toMatchObject({ code: 3 });
  expect((await refusals('client/lamp:more'))[0]).toEqual(['AUTH_905', 'lamp', '127.0.0.1']);
  const bystander = await node.connect('door', door);
  // It takes the place of one that it has.
  const again = await node.connect('lamp:0', lamp);
  await until('the other one is gone', () => !open[0]!.connected);
  await again.endAsync();
  const left = [bystander, open[1]!, open[2]!, await node.connect('lamp:more', lamp)];
  expect(left.map(({ connected }) => connected)).toEqual([true, true, true, true]);
  await Promise.all(left.map((client) => client.endAsync()));
});

it('ends of the sessions that a principal keeps the ones that are away longest, and none of others', async () => {
  const [keeper, other] = [await device('keeper'), await device('other')];
  await visit('other', other);
  for (let n = 0; n < 3 * SESSIONS; n++) expect(await visit(`keeper:${n}`, keeper)).toBe(false);
  const present = [];
  for (let n = 3 * SESSIONS - 1; n >= 2 * SESSIONS - 1; n--) present.push(await visit(`keeper:${n}`, keeper));
  expect(present).toEqual([true, true, true, false]);
  expect(await visit('other', other)).toBe(true);
});

it('counts by the limits of a tenant where its record has some', async () => {
  const limits = { sessionsOfPrincipal: 2, sessions: 3 };
  await node.ask('PUT', '/v1/tenants/small', node.admin, { limits });
  expect((await node.ask('GET', '/v1/tenants/small', node.admin)).body.limits).toEqual(limits);
  const [a, b] = [await device('a', 'small'), await device('b', 'small')];
  const open = [await node.connect('a:0', a), await node.connect('a:1', a)];
  await expect(node.connect('a:2', a)).rejects.toMatchObject(QUOTA_EXCEEDED);
  open.push(await node.connect('b:0', b));
  await expect(node.connect('b:1', b)).rejects.toMatchObject(QUOTA_EXCEEDED);
  await open[0]!.endAsync();
  open[0] = await node.connect('b:1', b);
  expect(open.every(({ connected }) => connected)).toBe(true);
  await Promise.all(open.map((client) => client.endAsync()));
});

it('refuses an address more connections than it may have, whoever they are of, and no other address', async () => {
  const key = await device('far');
  const sockets: Socket[] = [];
  const knock = async (localAddress: string): Promise<Socket> => {
    const socket = connectTo({ port: node.mqttPort, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  for (let n = 0; n < CONNECTIONS; n++) await knock('127.0.0.2');
  /** Reason code of the CONNACK; undefined: it was closed without one. */
  const greet = async (): Promise<number | undefined> => {
    const socket = await knock('127.0.0.2');
    let answer = Buffer.alloc(0);
    socket.on('data', (chunk) => (answer = Buffer.concat([answer, chunk])));
    // CONNECT of MQTT 5 with the client identifier "x".
    socket.write(Buffer.from('100e00044d5154540502003c00000178', 'hex'));
    await once(socket, 'close');
    return answer[3];
  };
  expect(await greet()).toBe(QUOTA_EXCEEDED.code);
  expect(await refusals('client/x')).toEqual([['AUTH_905', null, '127.0.0.2']]);
  for (let n = 0; n < REFUSING; n++) await knock('127.0.0.2');
  expect(await greet()).toBeUndefined();
  const bystander = await node.connect('far', key);
  await bystander.endAsync();
  for (const socket of sockets) socket.destroy();
  // Bad user name or password: somebody who has shown none.
  await until('room', async () => (await greet()) === 0x86);
});

it('takes no record more of a kind than a tenant may have, and those of others meanwhile', async () => {
  const put = (limits: object, headers = {}) => node.ask('PUT', '/v1/tenants/tiny', node.admin, { limits }, headers);
  const { headers } = await put({ records: 2 });
  await device('a', 'tiny');
  const key = (id: string) => node.ask('POST', `/v1/tenants/tiny/principals/${id}/keys`, node.admin, {});
  const principal = (id: string, tenant = 'tiny') =>
    node.ask('PUT', `/v1/tenants/${tenant}/principals/${id}`, node.admin, { kind: 'service' });
  const statuses = async (...all: readonly (() => ReturnType<typeof key>)[]): Promise<unknown[]> => {
    const seen = [];
    for (const each of all) seen.push((await each()).status);
    return seen;
  };
  const all = [() => principal('b'), () => principal('c'), () => key('a'), () => key('b')];
  expect(await statuses(...all)).toEqual([201, 400, 201, 400]);
  expect((await principal('c')).body.detail).toMatch(
    /^The tenant has 2 records of the kind principal, as many as it may/,
  );
  expect((await principal('c', 'default')).status).toBe(201);
  const raised = await put({ records: 3 }, { 'if-match': headers.get('etag')! });
  expect([
    raised.status,
    ...(await statuses(
      () => principal('c'),
      () => key('b'),
      () => key('b'),
    )),
  ]).toEqual([...[200, 201, 201, 400]]);
});
