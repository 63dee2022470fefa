import { startSecureNode, type Asked, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;
const statement = (Effect: string, Action: string, Resource: string, Condition?: object): object => ({
  ...{ Effect, Action, Resource: Resource === '*' ? '*' : `arn:aws:iot:eu:1:${Resource}` },
  ...(Condition && { Condition }),
});
const policy = (...Statement: object[]): object => ({ Version: '2012-10-17', Statement });
let node: SecureNode;
const keys: Record<string, string> = {};

const put = (path: string, body: object, key = node.admin): Promise<Asked> => node.ask('PUT', `/v1/${path}`, key, body);
async function replace(path: string, body: object): Promise<number> {
  const { headers } = await node.ask('GET', `/v1/${path}`, node.admin);
  return (await node.ask('PUT', `/v1/${path}`, node.admin, body, { 'if-match': headers.get('etag')! })).status;
}

beforeAll(async () => {
  node = await startSecureNode();
  await put('tenants/other', {});
  await put('policies/read-door', policy(statement('Allow', 'iot:GetThingShadow', 'thing/door')));
  await put('policies/no-writing', policy(statement('Deny', 'iot:UpdateThingShadow', '*')));
  keys['lamp'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  keys['operator'] = await node.make('operator', { kind: 'person', roles: ['operator'] });
  keys['chief'] = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] });
  keys['foreign-chief'] = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] }, 'other');
});
afterAll(() => node.stop());

describe('a group', () => {
  it('gives its policies to its members, at once, and takes them back', async () => {
    const made = await put('groups/first-floor', { title: 'Lamps', policies: ['read-door'] }, keys['chief']);
    expect([made.status, made.body]).toEqual([
      201,
      { group: 'first-floor', title: 'Lamps', policies: ['read-door'], createdAt: expect.any(String) },
    ]);
    const read = async (): Promise<number> => (await node.ask('GET', '/v1/things/door/shadow', keys['lamp']!)).status;
    expect(await read()).toBe(403);
    const member = { thing: 'lamp', roles: ['device'], groups: ['first-floor'] };
    expect(await replace('principals/lamp', member)).toBe(200);
    expect(await read()).toBe(404);
    expect(await replace('groups/first-floor', { policies: ['no-writing'] })).toBe(200);
    expect(await read()).toBe(403);
    const write = await node.ask('PATCH', '/v1/things/lamp/shadow/reported', keys['lamp']!, { a: 1 });
    expect([write.status, write.body.code]).toEqual([403, 'AUTH_202']);
    const { body } = await node.ask('GET', '/v1/principals?group=first-floor', node.admin);
    expect(body.principals.map(({ principal }: { principal: string }) => principal)).toEqual(['lamp']);
    expect((await node.ask('GET', '/v1/principals?group=none', node.admin)).body).toEqual({ principals: [] });
    expect((await node.ask('GET', '/v1/groups', node.admin)).body.groups).toHaveLength(1);
  });

  it('is deleted when nobody is in it, and its policies when no group has them', async () => {
    const gone = async (path: string): Promise<unknown[]> => {
      const { status, body } = await node.ask('DELETE', `/v1/${path}`, node.admin);
      return [status, body?.detail];
    };
    expect(await gone('groups/first-floor')).toEqual([400, expect.stringContaining('such as lamp')]);
    expect(await gone('policies/no-writing')).toEqual([400, expect.stringContaining("group 'first-floor'")]);
    expect(await replace('principals/lamp', { thing: 'lamp', roles: ['device'] })).toBe(200);
    expect(await gone('groups/first-floor')).toEqual([204, undefined]);
    expect(await gone('groups/first-floor')).toEqual([404, expect.any(String)]);
    expect(await gone('policies/no-writing')).toEqual([204, undefined]);
  });

  it('that is gone all the same lets its members do nothing', async () => {
    await put('groups/second', {});
    const key = await node.make('door', { thing: 'door', roles: ['device'], groups: ['second'] });
    const read = async (): Promise<number> => (await node.ask('GET', '/v1/things/door/shadow', key)).status;
    expect(await read()).toBe(404);
    const { revision } = node.access.directory.get('group', 'default', 'second')!;
    await node.access.writer.delete('group', ['default', 'second'], revision);
    expect(await read()).toBe(403);
  });

  // Rows: who, method, path, body, status.
  it.each([
    ['lamp', 'GET', '/v1/groups', undefined, 403],
    ['operator', 'GET', '/v1/groups', undefined, 403],
    ['operator', 'PUT', '/v1/groups/own', {}, 403],
    ['chief', 'GET', '/v1/tenants/other/groups', undefined, 403],
    ['chief', 'PUT', '/v1/tenants/other/groups/own', {}, 403],
    ['foreign-chief', 'PUT', '/v1/groups/own', { policies: ['read-door'] }, 404],
    ['foreign-chief', 'PUT', '/v1/groups/own', {}, 201],
    ['chief', 'GET', '/v1/groups/own', undefined, 404],
    ['chief', 'PUT', '/v1/groups/own', { policies: ['none'] }, 404],
    ['chief', 'PUT', '/v1/groups/own', { policies: ['role:admin'] }, 404],
    ['chief', 'PUT', '/v1/groups/own', { createdAtMs: 1 }, 400],
    ['chief', 'PUT', '/v1/groups/own', { members: ['lamp'] }, 400],
    ['chief', 'PUT', '/v1/groups/a.b', {}, 400],
    ['chief', 'PUT', '/v1/principals/lamp-2', { groups: ['own'] }, 404],
  ] as const)('%s: %s %s %j is %d', async (who, method, path, body, status) => {
    expect((await node.ask(method, path, keys[who]!, body)).status).toBe(status);
  });
});

describe('conditions on what a request is about', () => {
  it('know the names of shadows, over HTTP and over MQTT', async () => {
    const named = { StringEquals: { 'umbra:ShadowName': 'secret' } };
    await put('policies/no-secret', policy(statement('Deny', '*', '*', named)));
    const key = await node.make('reader', { kind: 'service', roles: ['service'], policies: ['no-secret'] });
    const read = async (query: string): Promise<number> =>
      (await node.ask('GET', `/v1/things/lamp/shadow${query}`, key)).status;
    expect([await read(''), await read('?name=open'), await read('?name=secret')]).toEqual([404, 404, 403]);
    const client = await node.connect('reader', key);
    const got: string[] = [];
    client.on('message', (topic) => void got.push(topic));
    await client.subscribeAsync(shadow('lamp', 'name/+/update/accepted'));
    const change = (name: string): Promise<Asked> =>
      node.ask('PATCH', `/v1/things/lamp/shadow/desired?name=${name}`, node.admin, { a: 1 });
    await change('secret');
    await change('open');
    await until('a message', () => got.length > 0);
    expect(got).toEqual([shadow('lamp', 'name/open/update/accepted')]);
    const publish = (name: string): Promise<unknown> =>
      client.publishAsync(shadow('lamp', `name/${name}/get`), '', { qos: 1 });
    await publish('open');
    await expect(publish('secret')).rejects.toMatchObject({ code: 0x87 });
    await client.endAsync();
  });

  it('know what a CONNECT asks for, also when it is judged again', async () => {
    const features = (condition: string, value: string) => ({ [condition]: { 'iot:ConnectAttributes': value } });
    await put(
      'policies/no-will',
      policy(
        statement('Deny', 'iot:Connect', '*', features('ForAnyValue:StringEquals', 'LastWill')),
        statement('Allow', 'iot:Connect', '*', features('ForAnyValue:StringEquals', 'PersistentConnect')),
      ),
    );
    const key = await node.make('sensor', { kind: 'service', policies: ['no-will'] });
    const will = { topic: shadow('lamp', 'update'), payload: Buffer.from('{}'), qos: 1, retain: false } as const;
    await expect(node.connect('sensor', key)).rejects.toMatchObject({ code: 0x87 });
    await expect(node.connect('sensor', key, { clean: false, will })).rejects.toMatchObject({ code: 0x87 });
    const client = await node.connect('sensor', key, { clean: false, properties: { sessionExpiryInterval: 60 } });
    await put('groups/another', {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(client.connected).toBe(true);
    await client.endAsync();
  });

  it.each(['umbra:Section', 'umbra:Paths'])('on %s, which no request has, are refused', async (key) => {
    const condition = { 'ForAllValues:StringEquals': { [key]: 'reported' } };
    const { status, body } = await put('policies/wishful', policy(statement('Allow', 'iot:*', '*', condition)));
    expect([status, body.detail]).toEqual([400, expect.stringContaining('no request has a value for this key yet')]);
  });
});
