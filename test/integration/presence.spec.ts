import type { MqttClient } from 'mqtt';
import { EventReader, type StreamEvent } from '../harness/event-reader.js';
import { startSecureNode, type Asked, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

/** Who may know which clients are connected. Nodes that lose each other are in test/e2e/presence.spec.ts. */

let node: SecureNode;
/** Open until the node stops. */
let lasting: EventReader | null = null;
const ALL = '$aws/events/presence/+/+';
const KEPT = { clean: false, properties: { sessionExpiryInterval: 3600 } };

beforeAll(async () => {
  node = await startSecureNode();
});
afterAll(async () => {
  await node.stop();
  expect((await lasting?.nextOf('end'))?.data).toMatchObject({ reason: 'draining' });
});

/** What the SUBACK says. */
const granted = (client: MqttClient, filter: string): Promise<unknown> =>
  new Promise((resolve) =>
    client.subscribe(filter, { qos: 1 }, (_error, _granted, suback) => resolve(suback?.granted[0])),
  );

/** The client identifiers of the events that a client gets from now on. */
function heardBy(client: MqttClient): string[] {
  const heard: string[] = [];
  client.on('message', (topic, payload) => {
    const { clientId, eventType } = JSON.parse(payload.toString()) as { clientId: string; eventType: string };
    expect(topic).toBe(`$aws/events/presence/${eventType}/${clientId}`);
    heard.push(`${clientId} ${eventType}`);
  });
  return heard;
}

const known = (key: string, path: string, connected: boolean): Promise<unknown> =>
  until(`${path} ${connected}`, async () => {
    const { body } = await node.ask('GET', path, key);
    return body.connected === connected && body;
  });

it('tenants do not see each other, though their clients have the same identifiers', async () => {
  for (const tenant of ['red', 'blue']) await node.ask('PUT', `/v1/tenants/${tenant}`, node.admin, {});
  const keyOf = (tenant: string, role: string, id: string): Promise<string> =>
    node.make(id, { kind: 'service', roles: [role] }, tenant);
  const [red, blue] = [await keyOf('red', 'tenant-admin', 'plant'), await keyOf('blue', 'tenant-admin', 'plant')];
  const followers = [await node.connect('red-follower', red), await node.connect('blue-follower', blue)];
  const [inRed, inBlue] = followers.map(heardBy);
  for (const follower of followers) expect(await granted(follower, ALL)).toBe(1);
  const lamp = await node.connect('lamp', red);
  await known(red, '/v1/presence/lamp', true);
  expect((await node.ask('GET', '/v1/presence/lamp', blue)).status).toBe(404);
  await lamp.endAsync();
  await known(red, '/v1/presence/lamp', false);
  // Its own events come after those of the other tenant would have.
  await (await node.connect('last', blue)).endAsync();
  await until('the last event', () => inBlue?.includes('last disconnected'));
  expect(inBlue?.filter((each) => each.startsWith('lamp'))).toEqual([]);
  expect(inRed).toEqual(expect.arrayContaining(['lamp connected', 'lamp disconnected']));
  expect(inRed?.filter((each) => each.startsWith('last'))).toEqual([]);
});

it('policies say who may subscribe, who receives which event, and who may ask', async () => {
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['iot:Connect', 'iot:Subscribe', 'iot:Receive', 'umbra:GetThing'], Resource: '*' },
      { Effect: 'Deny', Action: 'iot:Receive', Resource: 'arn:aws:iot:*:*:topic/$aws/events/presence/*/secret*' },
      { Effect: 'Allow', Action: 'umbra:GetPresence', Resource: 'arn:aws:iot:*:*:client/public' },
    ],
  };
  expect((await node.ask('PUT', '/v1/policies/half', node.admin, policy)).status).toBe(201);
  const half = await node.make('half', { kind: 'service', policies: ['half'] });
  const device = await node.make('secret-lamp', { thing: 'secret-lamp', roles: ['device'] });
  const service = await node.make('service', { kind: 'service', roles: ['service'] });

  const follower = await node.connect('half', half);
  const heard = heardBy(follower);
  expect(await granted(follower, ALL)).toBe(1);
  const lamp = await node.connect('secret-lamp', device, KEPT);
  expect(await granted(lamp, ALL)).toBe(0x87);
  await known(service, '/v1/presence/secret-lamp', true);
  const open = await node.connect('public', service).catch(() => null);
  expect(open).toBeNull();
  const seen = await node.connect('service:public', service);
  await until('the other event', () => heard.includes('service:public connected'));
  expect(heard).toEqual(['service:public connected']);

  const asked = async (key: string, id: string): Promise<number> =>
    (await node.ask('GET', `/v1/presence/${encodeURIComponent(id)}`, key)).status;
  expect(await asked(half, 'secret-lamp')).toBe(403);
  expect(await asked(half, 'public')).toBe(404);
  expect(await asked(device, 'secret-lamp')).toBe(200);
  expect(await asked(device, 'service:public')).toBe(403);
  expect(await asked(service, 'service:public')).toBe(200);

  // The path of this client stands for the stream.
  const watcher = await node.connect('watch', node.admin);
  const inQuery = '/v1/presence?clientId=';
  expect(await known(service, `${inQuery}watch`, true)).toMatchObject({ clientId: 'watch', principal: 'admin' });
  await watcher.endAsync();
  const found = (key: string, query: string): Promise<Asked> => node.ask('GET', `/v1/presence${query}`, key);
  expect((await found(service, '?clientId=nobody')).status).toBe(404);
  expect((await found(half, '?clientId=watch')).status).toBe(403);
  expect((await found(device, '?clientId=watch')).status).toBe(403);
  for (const query of ['', '?clientId=', '?clientId=a&clientId=watch']) {
    const { status, body } = await found(service, query);
    expect([status, body.detail]).toEqual([400, expect.stringMatching(/^clientId must be given/)]);
  }

  // The thing is shown to who may see it, its presence to who may see that.
  const shadow = '/v1/things/secret-lamp/shadow';
  expect((await node.ask('PATCH', shadow, device, { state: { reported: { on: true } } })).status).toBe(200);
  const thing = async (key: string): Promise<object> =>
    (await node.ask('GET', '/v1/things/secret-lamp', key)).body as object;
  expect(await thing(device)).toMatchObject({ presence: { connected: true, principal: 'secret-lamp' } });
  const hidden = await thing(half);
  expect(hidden).toMatchObject({ thing: 'secret-lamp' });
  expect(hidden).not.toHaveProperty('presence');
  await seen.endAsync();
});

it('a client without an identifier of its own has no presence', async () => {
  const follower = await node.connect('default-follower', node.admin);
  const heard = heardBy(follower);
  expect(await granted(follower, ALL)).toBe(1);
  const nameless = await node.connect('', node.admin);
  const named = await node.connect('named', node.admin);
  await until('the named one', () => heard.includes('named connected'));
  expect(heard.filter((each) => !/^(?:named|default-follower) /.test(each))).toEqual([]);
  await Promise.all([nameless.endAsync(), named.endAsync()]);
});

it('a stream brings what its reader may see: the present state, then every change, until policies end it', async () => {
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: 'umbra:GetPresence', Resource: 'arn:aws:iot:*:*:client/s-*' }],
  };
  expect((await node.ask('PUT', '/v1/policies/s-only', node.admin, policy)).status).toBe(201);
  const key = await node.make('s-reader', { kind: 'service', policies: ['s-only'] });
  for (const id of ['s-1', 's-2', 't-1']) {
    const client = await node.connect(id, node.admin);
    await known(node.admin, `/v1/presence/${id}`, true);
    if (id === 's-2') await client.endAsync();
  }
  await known(node.admin, '/v1/presence/s-2', false);
  const open = (query: string, by: string): Promise<EventReader> =>
    EventReader.open(`${node.url}/v1/presence/watch${query}`, { authorization: `Bearer ${by}` });
  const [all, some] = [await open('', key), await open('?clientId=s-2&clientId=t-*', node.admin)];
  const words = ({ event, data }: StreamEvent): string =>
    [event, data['clientId'], data['connected']].filter((each) => each !== undefined).join(' ');
  const present = async (reader: EventReader): Promise<string[]> => {
    const found = [words(await reader.nextOf('initial', 'bookmark'))];
    while (found.at(-1) !== 'bookmark') found.push(words(await reader.nextOf('initial', 'bookmark')));
    return found.sort();
  };
  const told = async (reader: EventReader): Promise<string> => words(await reader.nextOf('change'));
  expect(await present(all)).toEqual(['bookmark', 'initial s-1 true', 'initial s-2 false']);
  expect(await present(some)).toEqual(['bookmark', 'initial s-2 false', 'initial t-1 true']);

  const client = await node.connect('t-2', node.admin);
  expect(await told(some)).toBe('change t-2 true');
  await client.endAsync();
  expect(await told(some)).toBe('change t-2 false');
  await node.connect('s-2', node.admin);
  expect([await told(some), await told(all)]).toEqual(['change s-2 true', 'change s-2 true']);

  expect((await node.ask('GET', '/v1/presence/watch', await node.make('nobody', { kind: 'service' }))).status).toBe(
    403,
  );
  expect((await node.ask('GET', '/v1/presence/watch?client=s-1', node.admin)).status).toBe(400);
  expect((await node.ask('GET', '/v1/presence/watch?clientId=', node.admin)).status).toBe(400);
  expect(
    (await node.ask('PUT', '/v1/principals/s-reader', node.admin, { kind: 'service' }, { 'if-match': '*' })).status,
  ).toBe(200);
  expect((await all.nextOf('end')).data).toMatchObject({ reason: 'forbidden' });
  lasting = some;
});

it('switched off, there is no route, no topic and no member', async () => {
  const off = await startSecureNode({ environment: { UMBRA_PRESENCE: 'false' } });
  try {
    const client = await off.connect('lamp', off.admin);
    expect(await granted(client, ALL)).toBe(0x87);
    for (const path of ['lamp', 'watch'])
      expect((await off.ask('GET', `/v1/presence/${path}`, off.admin)).status).toBe(404);
    const shadow = '/v1/things/lamp/shadow';
    expect((await off.ask('PATCH', shadow, off.admin, { state: { reported: { on: true } } })).status).toBe(200);
    expect((await off.ask('GET', '/v1/things/lamp', off.admin)).body).not.toHaveProperty('presence');
  } finally {
    await off.stop();
  }
});
