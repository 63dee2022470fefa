import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const lines: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
let node: SecureNode;
/** Keys by principal. */
const keys: Record<string, string> = {};
const shadow = (thing: string, tail: string): string => `$aws/things/${thing}/shadow/${tail}`;

beforeAll(async () => {
  node = await startSecureNode({ logger });
  const { status } = await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  expect(status).toBe(201);
  keys['lamp'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  keys['viewer'] = await node.make('viewer', { kind: 'person', roles: ['viewer'] });
  keys['operator'] = await node.make('operator', { kind: 'person', roles: ['operator'] });
  keys['service'] = await node.make('service', { kind: 'service', roles: ['service'] });
  keys['chief'] = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] });
  keys['nobody'] = await node.make('nobody', { kind: 'service' });
  keys['stranger'] = await node.make('stranger', { kind: 'service', roles: ['service', 'tenant-admin'] }, 'other');
  keys['lamp-of-other'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] }, 'other');
});
afterAll(() => node.stop());

describe('over HTTP', () => {
  it.each([
    ['without credentials', undefined, 'AUTH_101'],
    ['with another scheme', 'Basic bGFtcDp4', 'AUTH_101'],
    ['with an empty token', 'Bearer ', 'AUTH_101'],
    ['with a token that is no key', 'Bearer umk_abc', 'AUTH_101'],
    ['with two tokens', 'Bearer a b', 'AUTH_101'],
    ['with a key in lower case', () => `Bearer ${keys['lamp']!.toLowerCase()}`, 'AUTH_101'],
    ['with a key whose checksum is wrong', () => `Bearer ${changed(keys['lamp']!, -1)}`, 'AUTH_101'],
  ] as const)('refuses a request %s', async (_, authorization, code) => {
    const value = typeof authorization === 'function' ? authorization() : authorization;
    for (const path of ['/v1/things', '/v1/things/lamp/shadow', '/things/lamp/shadow', '/v1/watch', '/v1/principals']) {
      const { status, headers, body } = await node.ask(
        'GET',
        path,
        null,
        undefined,
        value ? { authorization: value } : {},
      );
      const challenge = /^Bearer \S+$/.test(value ?? '') ? 'Bearer error="invalid_token"' : 'Bearer';
      expect([path, status, headers.get('www-authenticate')]).toEqual([path, 401, challenge]);
      if (path.startsWith('/v1')) expect(body.code).toBe(code);
    }
  });

  it('does not take a credential from anywhere else', async () => {
    const key = keys['lamp']!;
    for (const path of [`/things/lamp/shadow?access_token=${key}`, `/things/lamp/shadow?token=${key}`]) {
      expect((await node.ask('GET', path, null)).status).toBe(401);
    }
    const headers = [{ cookie: `token=${key}` }, { 'x-api-key': key }, { 'proxy-authorization': `Bearer ${key}` }];
    for (const each of headers)
      expect((await node.ask('GET', '/things/lamp/shadow', null, undefined, each)).status).toBe(401);
  });

  it('shows in health which dependencies fail, and no more to who asks from elsewhere', async () => {
    const { run } = node.access.breakers.of('issuer:login.example.com');
    for (let i = 0; i < 4; i++) await run(() => Promise.reject(new Error('no answer'))).catch(() => undefined);
    const near = await node.ask('GET', '/health/ready', null);
    expect(near.status).toBe(200);
    expect(near.body.parts.dependencies).toMatchObject({
      ...{ ok: true, reason: '1 of 1 dependencies fail' },
      members: [
        {
          ...{ member: 'issuer:login.example.com', ok: false },
          reason: expect.stringMatching(/^open for another \d+ s, 4 failures in a row, the last: no answer$/) as string,
        },
      ],
    });
    const far = await node.ask('GET', '/health/ready', null, undefined, { 'x-forwarded-for': '192.0.2.1' });
    expect(Object.keys(far.body.parts.dependencies as object)).toEqual(['ok', 'since']);
    node.access.breakers.drop('issuer:login.example.com');
  });

  it.each(['/health/live', '/health/ready', '/docs', '/openapi.json'])('needs none for %s', async (path) => {
    expect((await fetch(node.url + path)).status).toBe(200);
  });

  // Rows: principal, method, path, body, status.
  it.each([
    ['lamp', 'POST', '/things/lamp/shadow', '{"state":{"reported":{"a":1}}}', 200],
    ['lamp', 'GET', '/things/lamp/shadow', undefined, 200],
    ['lamp', 'HEAD', '/v1/things/lamp/shadow', undefined, 200],
    ['lamp', 'GET', '/things/door/shadow', undefined, 403],
    ['lamp', 'POST', '/things/door/shadow', '{"state":{"reported":{"a":1}}}', 403],
    ['lamp', 'DELETE', '/things/door/shadow', undefined, 403],
    ['lamp', 'GET', '/things/lamp2/shadow', undefined, 403],
    ['lamp', 'GET', '/things/lam%70/shadow', undefined, 200],
    ['lamp', 'GET', '/things/door/shadow?name=lamp', undefined, 403],
    ['lamp', 'GET', '/v1/watch', undefined, 403],
    ['lamp', 'GET', '/v1/things/lamp/watch', undefined, 403],
    ['lamp', 'GET', '/v1/things', undefined, 403],
    ['lamp', 'DELETE', '/v1/things/lamp', undefined, 403],
    ['lamp', 'GET', '/v1/principals', undefined, 403],
    ['lamp', 'PUT', '/v1/principals/lamp', '{"roles":["admin"]}', 403],
    ['lamp', 'POST', '/v1/principals/lamp/keys', '{}', 403],
    ['lamp', 'PUT', '/v1/policies/mine', '{"Version":"2012-10-17","Statement":[]}', 403],
    ['lamp', 'GET', '/v1/tenants', undefined, 403],
    ['lamp', 'PUT', '/v1/tenants/mine', '{}', 403],
    ['nobody', 'GET', '/things/lamp/shadow', undefined, 403],
    ['nobody', 'GET', '/v1/watch', undefined, 403],
    ['viewer', 'GET', '/v1/things/lamp/shadow', undefined, 200],
    ['viewer', 'GET', '/v1/things', undefined, 200],
    ['viewer', 'PATCH', '/v1/things/lamp/shadow/desired', '{"a":1}', 403],
    ['viewer', 'DELETE', '/v1/things/lamp/shadow', undefined, 403],
    ['operator', 'PATCH', '/v1/things/lamp/shadow/desired', '{"a":1}', 200],
    ['operator', 'GET', '/v1/watch', undefined, 403],
    ['operator', 'GET', '/v1/policies', undefined, 403],
    ['service', 'GET', '/v1/things/lamp', undefined, 200],
    ['chief', 'GET', '/v1/principals', undefined, 200],
    ['chief', 'GET', '/v1/tenants/default', undefined, 200],
    ['chief', 'GET', '/v1/tenants/other', undefined, 403],
    ['chief', 'GET', '/v1/tenants/other/principals', undefined, 403],
    ['chief', 'GET', '/v1/tenants/unknown/principals', undefined, 403],
    ['chief', 'PUT', '/v1/tenants/other/principals/chief', '{"roles":["tenant-admin"]}', 403],
    ['chief', 'PUT', '/v1/principals/chief', '{"roles":["admin"]}', 412],
    ['chief', 'PUT', '/v1/principals/another', '{"roles":["admin"]}', 403],
    ['chief', 'POST', '/v1/principals/admin/keys', '{}', 403],
    ['chief', 'DELETE', '/v1/principals/admin/keys/AAAAAAAAAAAAAAA', undefined, 403],
    ['chief', 'DELETE', '/v1/principals/admin', undefined, 403],
    ['chief', 'GET', '/v1/tenants', undefined, 403],
    ['chief', 'PUT', '/v1/tenants/default', '{}', 403],
    ['stranger', 'GET', '/v1/things/lamp/shadow', undefined, 404],
    ['stranger', 'GET', '/v1/things', undefined, 200],
    ['stranger', 'GET', '/v1/principals/viewer', undefined, 404],
    ['stranger', 'DELETE', '/v1/principals/lamp/keys/AAAAAAAAAAAAAAA', undefined, 404],
    ['stranger', 'GET', '/v1/tenants/default/principals', undefined, 403],
    ['lamp-of-other', 'GET', '/things/lamp/shadow', undefined, 404],
  ] as const)('%s: %s %s %s is %d', async (who, method, path, body, status) => {
    const answer = await fetch(node.url + path, {
      method,
      headers: { authorization: `Bearer ${keys[who]!}` },
      ...(body !== undefined && { body }),
    });
    expect(answer.status).toBe(status);
    if (status === 403) expect(await answer.text()).toMatch(/do not allow/);
    else await answer.body?.cancel();
  });

  it('lets nobody of one tenant change who administers all of them', async () => {
    const { headers } = await node.ask('GET', '/v1/principals/admin', node.admin);
    const match = { 'if-match': headers.get('etag')! };
    for (const members of [{ roles: [] }, { roles: ['admin'], disabled: true }]) {
      const { status } = await node.ask('PUT', '/v1/principals/admin', keys['chief']!, members, match);
      expect(status).toBe(403);
    }
    expect((await node.ask('GET', '/v1/tenants', node.admin)).status).toBe(200);
  });

  it('lets no policy of a tenant reach the tenant itself, which has its limits and its account', async () => {
    const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
    await node.ask('PUT', '/v1/policies/greedy', keys['chief']!, document);
    const body = { kind: 'person', policies: ['greedy'] };
    expect((await node.ask('PUT', '/v1/principals/greedy', keys['chief']!, body)).status).toBe(201);
    const { key } = (await node.ask('POST', '/v1/principals/greedy/keys', keys['chief']!, {})).body as { key: string };
    expect((await node.ask('GET', '/v1/principals', key)).status).toBe(200);
    for (const [method, path, members] of [
      ['PUT', '/v1/tenants/default', { limits: { requestsPerSecond: 0 } }],
      ['DELETE', '/v1/tenants/default', undefined],
      ['GET', '/v1/tenants', undefined],
      ['PUT', '/v1/token-policy', 'ttl: 60s'],
    ] as const)
      expect([path, (await node.ask(method, path, key, members, { 'if-match': '*' })).status]).toEqual([path, 403]);
  });

  it('refuses roles and policies that do not exist, and members that only the service sets', async () => {
    for (const [members, text] of [
      [{ roles: ['root'] }, /There is no role root/],
      [{ policies: ['none'] }, /There is no policy 'none'/],
      [{ passwordHash: 'x' }, /passwordHash is set by the service/],
      [{ admin: true }, /admin/],
      [{ thing: 'a/b' }, /thing must be/],
    ] as const) {
      const { status, body } = await node.ask('PUT', '/v1/principals/new', node.admin, members);
      expect([status, body.detail]).toEqual([expect.any(Number), expect.stringMatching(text)]);
      expect(status).toBeGreaterThanOrEqual(400);
    }
    expect((await node.ask('GET', '/v1/principals/new', node.admin)).status).toBe(404);
  });

  it('gives nobody the keys of an earlier principal, and no tenant the principals of an earlier one', async () => {
    const { writer, secretKeys } = node.access;
    const { id, text, digest } = secretKeys.make();
    const owner = { tenant: 'reborn', principal: 'phoenix' };
    const times = { createdAtMs: 1, expiresAtMs: null };
    const proof = { kind: 'secret', digest } as const;
    // As races of two nodes leave them.
    await writer.create('key', [id], { ...owner, proof, isDisabled: false, ...times, title: '' });
    const path = '/v1/tenants/reborn';
    const document = { Version: '2012-10-17', Statement: [{ Effect: 'Deny', Action: '*', Resource: '*' }] };
    expect((await node.ask('PUT', path, node.admin, {})).status).toBe(201);
    expect((await node.ask('PUT', `${path}/policies/left`, node.admin, document)).status).toBe(201);
    const { revision } = node.access.directory.get('tenant', 'reborn')!;
    await writer.delete('tenant', ['reborn'], revision);
    expect((await node.ask('PUT', path, node.admin, {})).body.detail).toMatch(/policy of an earlier tenant/);
    expect((await node.ask('DELETE', `${path}/policies/left`, node.admin)).status).toBe(204);
    expect((await node.ask('PUT', path, node.admin, {})).status).toBe(201);
    expect((await node.ask('PUT', `${path}/principals/phoenix`, node.admin, { roles: ['viewer'] })).status).toBe(201);
    expect((await node.ask('GET', '/v1/things', text)).status).toBe(401);
    expect((await node.ask('GET', `${path}/principals/phoenix/keys`, node.admin)).body).toEqual({ keys: [] });
  });

  it('lists principals in the order of their names, a page at a time, each once', async () => {
    const base = '/v1/tenants/other/principals';
    const made = ['p9', 'p1', 'p10', 'p5', 'p3', 'p7', 'p2'];
    for (const id of made) await node.ask('PUT', `${base}/${id}`, node.admin, {});
    const listed: string[] = [];
    for (let after: string | undefined = 'p'; after !== undefined;) {
      const { body } = await node.ask('GET', `${base}?limit=3&after=${after}`, node.admin);
      const page = body as { principals: { principal: string }[]; next?: string };
      listed.push(...page.principals.map(({ principal }) => principal));
      after = page.next;
    }
    expect(listed.filter((id) => made.includes(id))).toEqual([...made].sort());
    expect(new Set(listed).size).toBe(listed.length);
  });

  it('says what of a policy has no effect', async () => {
    const Statement = [{ Effect: 'Deny', Action: ['iot:Publsh', 's3:PutObject', 'iot:Connect'], Resource: '*' }];
    const { body } = await node.ask('PUT', '/v1/policies/misspelt', node.admin, { Version: '2012-10-17', Statement });
    expect(body.notes).toEqual([
      expect.stringMatching(/^Statement\[0\]\.Action\[0\].*Publsh/),
      expect.stringMatching(/s3:PutObject/),
    ]);
  });

  it('refuses a policy with its place', async () => {
    const Statement = [
      { Effect: 'Allow', Action: 'iot:Connect', Resource: '*', Condition: { StringIs: { 'iot:ClientId': 'a' } } },
    ];
    const { status, body } = await node.ask('PUT', '/v1/policies/bad', node.admin, {
      Version: '2012-10-17',
      Statement,
    });
    expect([status, body.detail]).toEqual([400, expect.stringMatching(/Statement\[0\]\.Condition\.StringIs/)]);
    expect((await node.ask('GET', '/v1/policies/bad', node.admin)).status).toBe(404);
  });

  it('lets only one of two edits of the same state through', async () => {
    const path = '/v1/policies/race';
    const document = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }] };
    const made = await node.ask('PUT', path, node.admin, document);
    expect([made.status, made.body.version]).toEqual([201, 1]);
    expect((await node.ask('PUT', path, node.admin, document)).status).toBe(412);
    const match = { 'if-match': made.headers.get('etag')! };
    const edit = (Id: string): object => ({ ...document, Id });
    const both = await Promise.all(['a', 'b'].map((id) => node.ask('PUT', path, node.admin, edit(id), match)));
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
    for (let n = 0; n < 5; n++) {
      const { headers } = await node.ask('GET', path, node.admin);
      await node.ask('PUT', path, node.admin, document, { 'if-match': headers.get('etag')! });
    }
    const { body } = await node.ask('GET', path, node.admin);
    expect([body.version, body.versions.map(({ version }: { version: number }) => version)]).toEqual([
      7,
      [3, 4, 5, 6, 7],
    ]);
    for (const bad of [{ version: 2 }, { verison: 4 }])
      expect((await node.ask('POST', `${path}/rollback`, node.admin, bad)).status).toBe(400);
    const back = await node.ask('POST', `${path}/rollback`, node.admin, { version: 4 });
    expect([back.status, back.body.version]).toEqual([200, 4]);
    expect((await node.ask('DELETE', path, node.admin)).status).toBe(204);
  });
});

describe('over MQTT', () => {
  it.each([
    ['no credentials', 'lamp', undefined],
    ['a key that is none', 'lamp', (): string => 'umk_x'],
    ['a changed key', 'lamp', (): string => changed(keys['lamp']!, 30)],
    ['the client identifier of another device', 'door', () => keys['lamp']],
    ['a client identifier that begins like its own', 'lamp2', () => keys['lamp']],
    ['a wildcard as its client identifier', 'lamp/#', () => keys['lamp']],
    ['no right to connect', 'nobody', () => keys['nobody']],
  ] as const)('refuses %s', async (_, clientId, key) => {
    const password = key?.();
    const options = { clientId, reconnectPeriod: 0, ...(password !== undefined && { username: 'x', password }) };
    for (const protocolVersion of [4, 5] as const) {
      const refused = connectAsync(node.mqttUrl, { ...options, protocolVersion });
      await expect(refused).rejects.toMatchObject({
        code: protocolVersion === 5 ? expect.any(Number) : expect.any(Number),
      });
    }
  });

  it.each([
    ['lamp', 'update', 0],
    ['lamp', 'name/door/update', 0],
    ['door', 'update', 0x87],
    ['lamp/shadow/name/x/../../door', 'update', 0x87],
  ])('answers a publish to %s/%s with %i', async (thing, tail, reason) => {
    const client = await node.connect('lamp', keys['lamp']!);
    const published = client.publishAsync(shadow(thing, tail), '{"state":{"reported":{"b":1}}}', { qos: 1 });
    if (reason === 0) await published;
    else await expect(published).rejects.toMatchObject({ code: reason });
    expect((await node.ask('GET', '/things/door/shadow', node.admin)).status).toBe(404);
    await client.endAsync();
  });

  it.each([
    ['$aws/things/lamp/shadow/#', 0],
    ['$aws/things/lamp/shadow/name/+/update/delta', 0],
    ['$aws/things/door/shadow/#', 0x87],
    ['$aws/things/+/shadow/#', 0x87],
    ['$aws/things/#', 0x87],
    ['$aws/#', 0x87],
    ['#', 0x87],
    ['+/things/lamp/shadow/get', 0x87],
    ['$aws/things/lamp/+/get', 0x87],
    ['$share/g/$aws/things/lamp/shadow/#', 0x9e],
    ['$aws/things/lamp/shadow/../../door/shadow/get', 0x87],
  ])('answers a subscription to %s with %i', async (filter, reason) => {
    const client = await node.connect('lamp', keys['lamp']!);
    const answers: unknown[] = [];
    client.on('packetreceive', (packet) => void (packet.cmd === 'suback' && answers.push(...packet.granted)));
    await client.subscribeAsync(filter, { qos: 0 }).catch(() => undefined);
    expect(answers).toEqual([reason]);
    await client.endAsync();
  });

  it('delivers nothing across tenants, although topics and client identifiers are the same', async () => {
    const [own, foreign] = [
      await node.connect('lamp', keys['lamp']!),
      await node.connect('lamp', keys['lamp-of-other']!),
    ];
    const heard: string[] = [];
    foreign.on('message', (topic) => void heard.push(topic));
    await foreign.subscribeAsync(shadow('lamp', '#'));
    await own.subscribeAsync(shadow('lamp', 'update/accepted'));
    const accepted = new Promise((resolve) => own.once('message', resolve));
    await own.publishAsync(shadow('lamp', 'update'), '{"state":{"reported":{"c":1}}}', { qos: 1 });
    await accepted;
    // Its own answer comes after whatever it might have heard of the other.
    await foreign.publishAsync(shadow('lamp', 'get'), '', { qos: 1 });
    await until('its answer', () => heard.includes(shadow('lamp', 'get/rejected')));
    expect(heard.filter((topic) => !topic.includes('/get'))).toEqual([]);
    expect([own.connected, foreign.connected]).toEqual([true, true]);
    await Promise.all([own.endAsync(), foreign.endAsync()]);
  });

  it('gives the session of one principal to no other with the same client identifier', async () => {
    const document = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['iot:Connect', 'iot:Subscribe', 'iot:Receive'], Resource: '*' }],
    };
    await node.ask('PUT', '/v1/policies/wide', node.admin, document);
    const [first, second] = [
      await node.make('first', { kind: 'service', policies: ['wide'] }),
      await node.make('second', { kind: 'service', policies: ['wide'] }),
    ];
    const properties = { sessionExpiryInterval: 100 };
    const one = await node.connect('shared', first, { clean: false, properties });
    await one.subscribeAsync(shadow('lamp', 'update/documents'), { qos: 1 });
    await one.endAsync();
    const other = await connectAsync(node.mqttUrl, {
      ...{ clientId: 'shared', username: 'x', password: second, protocolVersion: 5, clean: false, properties },
      reconnectPeriod: 0,
    });
    expect(node.access.directory.isReady).toBe(true);
    const heard: string[] = [];
    other.on('message', (topic) => void heard.push(topic));
    await node.ask('POST', '/things/lamp/shadow', node.admin, { state: { reported: { d: 1 } } });
    await other.subscribeAsync(shadow('lamp', 'get/accepted'));
    expect(heard).toEqual([]);
    await other.endAsync();
  });
});

it('logs no secret', () => {
  const log = lines.join('');
  expect(log).toContain('CONNECT refused');
  for (const key of [node.admin, ...Object.values(keys)]) expect(log).not.toContain(key.slice(-20));
});

/** The text with another character at this place. */
function changed(text: string, at: number): string {
  const place = at < 0 ? text.length + at : at;
  return text.slice(0, place) + (text[place] === 'A' ? 'B' : 'A') + text.slice(place + 1);
}
