import type { MqttClient } from 'mqtt';
import { exportJWK, UnsecuredJWT } from 'jose';
import { issuerKey, IssuerServer } from '../harness/issuer-server.js';
import { startSecureNode, type Asked, type SecureNode } from '../harness/secure-node.js';
import { tampered } from '../harness/token-node.js';
import { until } from '../harness/until.js';

const OWN = 'https://shadows.example.com';
const PATH = '/v1/issuers/corp';
let node: SecureNode;
let corp: IssuerServer;
let other: IssuerServer;
let chief: string;
const first = issuerKey('first');

/** What a token of `corp` says; undefined leaves a claim out. */
function claims(changes: object = {}): object {
  const now = Math.floor(node.clock.now() / 1000);
  return { iss: corp.url, aud: 'umbra', sub: 'alice', iat: now, exp: now + 600, groups: ['ops'], ...changes };
}
const token = (changes: object = {}, header?: object): Promise<string> => corp.sign(claims(changes), header);
const members = (): object => ({
  ...{ url: corp.url, audiences: ['umbra'], algorithms: ['ES256'] },
  ...{ rolesFrom: 'groups', roles: { ops: ['operator'], staff: ['viewer'] } },
});
const put = (path: string, body: object, key = node.admin, headers = {}): Promise<Asked> =>
  node.ask('PUT', path, key, body, headers);
const me = async (text: string): Promise<unknown[]> => {
  const { status, body } = await node.ask('GET', '/v1/auth/me', text);
  return [status, body.code ?? body.principal];
};
const change = async (path: string, body: object): Promise<Asked> => {
  const { headers } = await node.ask('GET', path, node.admin);
  return put(path, body, node.admin, { 'if-match': headers.get('etag')! });
};
const hasKeys = (path: string): Promise<unknown> =>
  until(`keys of ${path}`, async () => (await node.ask('GET', path, node.admin)).body.keys !== null);
const healthOf = (url: string): string => {
  const found = node.access.issuers.health.members?.find(({ member }) => member === url);
  return found === undefined ? 'not followed' : `${found.ok}: ${found.reason}`;
};

beforeAll(async () => {
  node = await startSecureNode({
    environment: { UMBRA_AUTH_ISSUER: OWN, UMBRA_AUTH_ISSUER_HOSTS: '127.0.0.1,login.invalid' },
  });
  [corp, other] = [await IssuerServer.start(first), await IssuerServer.start(issuerKey('theirs'))];
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  chief = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] });
  expect((await put(PATH, members())).status).toBe(201);
  expect((await put('/v1/issuers/theirs', { url: other.url, audiences: ['umbra'] })).status).toBe(201);
  await Promise.all([PATH, '/v1/issuers/theirs'].map(hasKeys));
});
afterAll(async () => {
  await node.stop();
  await Promise.all([corp.die(), other.die()]);
});

describe('a registration', () => {
  it('is shown, listed, and hidden from who may not administer', async () => {
    const { status, body } = await node.ask('GET', PATH, chief);
    expect([status, body]).toEqual([
      200,
      {
        ...{ issuer: 'corp', principalFrom: 'sub', rolesForAll: [], disabled: false, keys: 1, fault: null },
        ...members(),
        createdAt: expect.any(String),
      },
    ]);
    const { body: page } = await node.ask('GET', '/v1/issuers?limit=1', chief);
    expect([page.issuers, page.next]).toEqual([[body], 'corp']);
    expect((await node.ask('GET', '/v1/issuers', await token())).status).toBe(403);
    expect((await node.ask('GET', '/v1/tenants/other/issuers', chief)).status).toBe(403);
    expect((await node.ask('GET', '/v1/tenants/other/issuers', node.admin)).body).toEqual({ issuers: [] });
    expect((await node.ask('GET', '/v1/audit?action=issuer:update', node.admin)).body.events[0]).toMatchObject({
      ...{ target: PATH, outcome: 'done' },
    });
  });

  // Rows: what, members, part of the answer.
  it.each([
    ['HS256', { algorithms: ['ES256', 'HS256'] }, /algorithms\[1\] must be one of ES256/],
    ['none', { algorithms: ['none'] }, /algorithms\[0\] must be one of/],
    ['no algorithm', { algorithms: [] }, /algorithms must name/],
    ['no audience', { audiences: [] }, /audiences must name/],
    ['no URL', { url: undefined }, /url is missing/],
    ['http elsewhere', { url: 'http://login.example.com' }, /must begin with https/],
    ['http at the address of metadata', { url: 'http://169.254.169.254' }, /must begin with https/],
    ['another scheme', { url: 'file:///etc/passwd' }, /url must be a URL/],
    ['a query', { url: 'https://login.example.com/a?b' }, /url must be a URL/],
    ['a user', { url: 'https://u:p@login.example.com' }, /url must be a URL/],
    ['this service', { url: OWN }, /is this service/],
    ['the role admin', { roles: { ops: ['admin'] } }, /admin is given to principals alone/],
    ['the role admin for all', { rolesForAll: ['admin'] }, /admin is given to principals alone/],
    ['an unknown role', { roles: { ops: ['root'] } }, /must be one of device/],
    ['roles without their claim', { rolesFrom: null }, /roles needs rolesFrom/],
    ['an unknown member', { jwksUri: 'https://evil.example.com' }, /"jwksUri" is unknown/],
    ['a member of the service', { registeredAtMs: 0 }, /registeredAtMs is set by the service/],
    ['the URL and audience of another', {}, /is registered for the audience umbra already/],
  ])('is refused with %s', async (_, changes, detail) => {
    const { status, body } = await put('/v1/issuers/bad', { ...members(), ...changes });
    expect([status, body.detail]).toEqual([400, expect.stringMatching(detail)]);
  });

  it('is refused with a name that could be another one', async () => {
    for (const name of ['Corp', 'a~b', '-a', 'a.b', 'a'.repeat(33)])
      expect([name, (await put(`/v1/issuers/${name}`, members())).status]).toEqual([name, 400]);
  });

  it('is replaced only by who has seen it', async () => {
    expect((await put(PATH, members())).status).toBe(412);
    expect((await put(PATH, members(), node.admin, { 'if-match': '"1"' })).status).toBe(412);
    expect((await put(PATH, members(), node.admin, { 'if-none-match': '*' })).status).toBe(412);
  });

  it('keeps its tenant from being deleted: a later one of that name must not inherit it', async () => {
    await node.ask('PUT', '/v1/tenants/brief', node.admin, {});
    const path = '/v1/tenants/brief/issuers/far';
    expect((await put(path, { url: 'https://login.invalid/b', audiences: ['umbra'] })).status).toBe(201);
    expect((await node.ask('DELETE', '/v1/tenants/brief', node.admin)).body.detail).toMatch(/has a issuer/);
    expect((await node.ask('DELETE', path, node.admin)).status).toBe(204);
    expect((await node.ask('DELETE', '/v1/tenants/brief', node.admin)).status).toBe(204);
  });

  it('by who administers a tenant alone is not of this machine, and not of another tenant', async () => {
    const far = { url: 'https://login.invalid/a', audiences: ['umbra'] };
    for (const url of [corp.url, 'http://127.0.0.1:2379'])
      expect((await put('/v1/issuers/near', { url, audiences: ['mine'] }, chief)).status).toBe(403);
    expect((await put('/v1/issuers/far', far, chief)).status).toBe(201);
    const theirs = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] }, 'other');
    expect((await put('/v1/issuers/far', { ...far, audiences: ['b'] }, theirs)).status).toBe(403);
    expect((await put('/v1/tenants/other/issuers/far', far)).status).toBe(400);
    expect((await put('/v1/tenants/other/issuers/far', { ...far, audiences: ['b'] })).status).toBe(201);
    expect((await node.ask('DELETE', '/v1/issuers/far', chief)).status).toBe(204);
    expect((await node.ask('DELETE', '/v1/tenants/other/issuers/far', node.admin)).status).toBe(204);
  });

  it('keeps to the hosts that the node allows', async () => {
    for (const url of ['https://10.0.0.1', 'https://login.invalid.example.com', 'http://localhost:2379']) {
      const { status, body } = await put('/v1/issuers/a', { url, audiences: ['umbra'] });
      expect([status, body.detail]).toEqual([400, expect.stringMatching(/UMBRA_AUTH_ISSUER_HOSTS/)]);
    }
  });
});

describe('a token', () => {
  it('opens every door for a principal that has no record', async () => {
    const text = await token({ sub: 'dora' });
    const { body } = await node.ask('GET', '/v1/auth/me', text);
    expect(body).toMatchObject({ tenant: 'default', principal: 'corp~dora', thing: null, roles: ['operator'] });
    const made = await node.ask('POST', '/things/lamp/shadow', text, '{"state":{"desired":{"a":1}}}');
    expect(made.status).toBe(200);
    const client = await node.connect('corp~dora', text);
    const heard = new Promise((resolve) => client.once('message', resolve));
    await client.subscribeAsync('$aws/things/lamp/shadow/get/accepted');
    await client.publishAsync('$aws/things/lamp/shadow/get', '', { qos: 1 });
    expect(await heard).toBe('$aws/things/lamp/shadow/get/accepted');
    await client.endAsync();
    await expect(node.connect('corp~alice', text)).rejects.toMatchObject({ code: 0x87 });
  });

  it('is narrowed by scopes of ours', async () => {
    const asked = async (scope: string): Promise<number> =>
      (await node.ask('DELETE', '/things/none/shadow', await token({ scope }))).status;
    expect([await asked('openid'), await asked('openid iot:Get*')]).toEqual([404, 403]);
  });

  it('gives what a record of its principal says, and never admin', async () => {
    const path = '/v1/principals/corp~carl';
    expect((await put(path, { kind: 'person', roles: ['admin'] })).status).toBe(400);
    expect((await put(path, { kind: 'device', thing: 'carl', roles: ['device'] })).status).toBe(201);
    expect((await node.ask('POST', `${path}/keys`, node.admin, {})).status).toBe(400);
    const text = await token({ sub: 'carl', groups: [] });
    expect((await node.ask('GET', '/v1/auth/me', text)).body).toMatchObject({ thing: 'carl', roles: ['device'] });
    expect((await node.ask('GET', '/things/carl/shadow', text)).status).toBe(404);
    expect((await node.ask('GET', '/things/lamp/shadow', text)).status).toBe(403);
  });

  const foreignKey = issuerKey('first');
  // Rows: attack, token, status, and code or principal.
  const ATTACKS: readonly [string, () => Promise<string> | string, number, string][] = [
    ['nothing wrong', () => token(), 200, 'corp~alice'],
    ['one audience of several', () => token({ aud: ['x', 'umbra'] }), 200, 'corp~alice'],
    ['typ JWT', () => token({}, { typ: 'JWT' }), 200, 'corp~alice'],
    ['an audience that is not ours', () => token({ aud: 'other-api' }), 401, 'AUTH_106'],
    ['no audience', () => token({ aud: undefined }), 401, 'AUTH_101'],
    ['an issuer that nobody has registered', () => token({ iss: 'https://evil.example.com' }), 401, 'AUTH_106'],
    ['its issuer with a slash', () => token({ iss: `${corp.url}/` }), 401, 'AUTH_106'],
    ['no issuer', () => token({ iss: undefined }), 401, 'AUTH_106'],
    ['the kid of another issuer, by that', () => other.sign(claims()), 401, 'AUTH_102'],
    ['the name of another issuer', () => token({ iss: other.url }), 401, 'AUTH_102'],
    ['the kid of its issuer and another key', () => corp.sign(claims(), {}, foreignKey), 401, 'AUTH_102'],
    ['a kid like a path', () => token({}, { kid: '../../first' }), 401, 'AUTH_102'],
    ['its own key in the header', async () => withKeyInside(), 401, 'AUTH_102'],
    ['HS256 by the public key', () => hmacToken(), 401, 'AUTH_102'],
    ['no signature', () => new UnsecuredJWT(claims() as Record<string, unknown>).encode(), 401, 'AUTH_101'],
    ['another payload', async () => tampered(await token(), 1, () => encoded(claims({ sub: 'bob' }))), 401, 'AUTH_102'],
    ['typ of a logout', () => token({}, { typ: 'logout+jwt' }), 401, 'AUTH_101'],
    ['its end behind', () => token({ iat: 1, exp: 600 }), 401, 'AUTH_103'],
    ['no end', () => token({ exp: undefined }), 401, 'AUTH_101'],
    ['an end in a year', () => token({ exp: Math.floor(node.clock.now() / 1000) + 3e7 }), 401, 'AUTH_101'],
    ['no beginning', () => token({ iat: undefined }), 401, 'AUTH_101'],
    ['its beginning ahead', () => token({ nbf: Math.floor(node.clock.now() / 1000) + 300 }), 401, 'AUTH_104'],
    ['no subject', () => token({ sub: undefined }), 401, 'AUTH_101'],
    ['a subject with a slash', () => token({ sub: 'default/admin' }), 401, 'AUTH_106'],
    ['the subject of another issuer', () => token({ sub: 'theirs~alice' }), 401, 'AUTH_106'],
    ['a subject of ours', () => token({ sub: 'admin', groups: [] }), 200, 'corp~admin'],
    ['8 KiB', () => token({ more: 'x'.repeat(8_192) }), 401, 'AUTH_101'],
  ];
  const withKeyInside = async (): Promise<string> =>
    corp.sign(claims(), { jwk: await exportJWK(foreignKey.publicKey), jku: 'https://evil.example.com' }, foreignKey);
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const hmacToken = (): Promise<string> => {
    const pem = first.publicKey.export({ type: 'spki', format: 'pem' });
    return corp.sign(claims(), { alg: 'HS256' }, { kid: 'first', privateKey: Buffer.from(pem) });
  };

  it.each(ATTACKS)('with %s', async (_, make, status, said) => {
    const text = await make();
    expect(await me(text)).toEqual([status, said]);
    if (status === 200) return;
    await expect(node.connect('corp~alice', text)).rejects.toMatchObject({ code: expect.any(Number) });
  });

  it('gives no role that its issuer may not give, and is of the tenant of the registration', async () => {
    const text = await token({
      ...{ groups: ['admin', 'tenant-admin', 'role:admin'], roles: ['admin'], role: 'admin' },
      ...{ tenant: 'other', tid: 'other', org: 'other', umbra_key: 'x', scope: '*' },
    });
    expect((await node.ask('GET', '/v1/auth/me', text)).body).toMatchObject({ tenant: 'default', roles: [] });
    for (const path of ['/v1/tenants', '/v1/principals', '/v1/tenants/other/principals', '/things/lamp/shadow'])
      expect([path, (await node.ask('GET', path, text)).status]).toEqual([path, 403]);
  });

  it('is of the tenant whose audience it has, and of nobody with the audiences of two', async () => {
    const theirs = '/v1/tenants/other/issuers/corp';
    expect((await put(theirs, { url: corp.url, audiences: ['b'] })).status).toBe(201);
    const { body } = await node.ask('GET', '/v1/auth/me', await token({ aud: 'b' }));
    expect(body).toMatchObject({ tenant: 'other', principal: 'corp~alice', roles: [] });
    expect(await me(await token({ aud: ['umbra', 'b'] }))).toEqual([401, 'AUTH_106']);
    expect(await me(await token())).toEqual([200, 'corp~alice']);
    await node.ask('DELETE', theirs, node.admin);
    expect(await me(await token({ aud: 'b' }))).toEqual([401, 'AUTH_106']);
  });
});

describe('the end of a connection', () => {
  const revoke = (text: string): Promise<unknown> =>
    fetch(`${node.url}/v1/auth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: 'admin', client_secret: node.admin, token: text }),
    });
  // Rows: what, end, whether a new token is refused, too.
  it.each([
    ['its token is revoked by an administrator', async (_: string, text: string) => revoke(text), false],
    [
      'its token is denied by its id',
      async (sub: string) => deny({ kind: 'token', issuer: corp.url, id: `id-${sub}` }),
      false,
    ],
    [
      'all tokens of its principal are denied',
      async (sub: string) => deny({ kind: 'principal', tenant: 'default', principal: `corp~${sub}` }),
      true,
    ],
    [
      'its principal is disabled',
      async (sub: string) => put(`/v1/principals/corp~${sub}`, { kind: 'person', disabled: true }),
      true,
    ],
    ['its issuer may give other roles', async () => change(PATH, { ...members(), roles: { ops: ['viewer'] } }), false],
    ['its issuer is disabled', async () => change(PATH, { ...members(), disabled: true }), true],
  ])('comes at once when %s', async (what, end, isRefused) => {
    const sub = what.replaceAll(' ', '-');
    const text = await token({ sub, jti: `id-${sub}` });
    const client = await node.connect(`corp~${sub}`, text);
    const reason = reasonOf(client);
    await end(sub, text);
    expect(await reason).toBe(0x87);
    const isOfIssuer = what.includes('issuer');
    if (!isOfIssuer) expect(await me(text)).toEqual([401, 'AUTH_105']);
    expect((await me(await token({ sub })))[0]).toBe(isRefused ? 401 : 200);
    if (isOfIssuer) await change(PATH, members());
  });
  const deny = (denied: Parameters<typeof node.access.acceptance.denials.deny>[0]): Promise<void> =>
    node.access.acceptance.denials.deny(denied);

  it('comes with the end of its token', async () => {
    const text = await token({ sub: 'late' });
    const client = await node.connect('corp~late', text);
    node.clock.advance(631_000);
    expect(await me(text)).toEqual([401, 'AUTH_103']);
    await until('the end of the connection', () => !client.connected, 20_000);
  });
});

/** Reason of the DISCONNECT that the client gets. */
function reasonOf(client: MqttClient): Promise<number | undefined> {
  return new Promise((resolve) => client.once('disconnect', ({ reasonCode }) => resolve(reasonCode)));
}

describe('an issuer', () => {
  const flood = (response: NodeJS.WritableStream & { destroyed?: boolean }): void => {
    const chunk = Buffer.alloc(64 * 1024, ' ');
    let sent = 0;
    const more = (): void => {
      for (; sent < 200_000_000 && !response.destroyed; sent += chunk.length)
        if (!response.write(chunk)) return void response.once('drain', more);
      response.end();
    };
    more();
  };
  it.each([
    ['sends 200 MB', () => other.misbehave('/flood', (response) => flood(response)), /longer than 262144 bytes/],
    [
      'redirects',
      () =>
        other.misbehave('/redirect', (response) => response.writeHead(302, { location: `${other.url}/jwks` }).end()),
      /redirect, which is not followed/,
    ],
    [
      'has keys at an address that may not be asked',
      () => other.misbehave('/inside', () => undefined, { jwks_uri: 'http://10.0.0.1/jwks' }),
      /must begin with https/,
    ],
    [
      'speaks for another one',
      () => other.misbehave('/as', () => undefined, { issuer: 'https://login.example.com' }),
      /metadata of another issuer/,
    ],
    ['answers no JSON', () => other.misbehave('/html', (response) => response.end('<html>')), /not valid JSON/],
    [
      'has 101 keys',
      () => other.misbehave('/many', (response) => response.end(JSON.stringify({ keys: Array(101).fill({}) }))),
      /has 101 keys; at most 100/,
    ],
  ])('that %s has no keys, is told of, and harms nobody else', async (_, make, reason) => {
    const url = make();
    const made = await put('/v1/issuers/bad', { url, audiences: ['umbra'] });
    expect(made.status).toBe(201);
    await until('its health', () => healthOf(url).startsWith('false') && reason.test(healthOf(url)));
    const { body } = await node.ask('GET', '/v1/issuers/bad', node.admin);
    expect([body.keys, body.fault]).toEqual([null, expect.stringMatching(/health and log/)]);
    expect(await me(await other.sign(claims({ iss: url })))).toEqual([503, undefined]);
    expect((await me(await token()))[0]).toBe(200);
    const { parts } = (await node.ask('GET', '/health/ready', null)).body;
    expect([parts.issuers.ok, parts.issuers.reason]).toEqual([true, expect.stringMatching(/^1 of 3 issuers/)]);
    expect((await node.ask('DELETE', '/v1/issuers/bad', node.admin)).status).toBe(204);
    expect(healthOf(url)).toBe('not followed');
  });

  it('that rolls its keys over is followed with the first new token; what it has withdrawn ends', async () => {
    const second = issuerKey('second');
    const old = await token();
    expect(await me(old)).toEqual([200, 'corp~alice']);
    corp.publish(second, first);
    node.clock.advance(5_000);
    expect(await me(await token())).toEqual([200, 'corp~alice']);
    expect(await me(old)).toEqual([200, 'corp~alice']);
    corp.publish(second);
    node.clock.advance(5_000);
    expect(await me(await token({}, { kid: 'made-up' }))).toEqual([401, 'AUTH_102']);
    expect(await me(old)).toEqual([401, 'AUTH_102']);
    expect(await me(await token())).toEqual([200, 'corp~alice']);
  });

  it('is asked at most once in 5 s, however many kids are made up', async () => {
    const before = corp.requests.length;
    node.clock.advance(5_000);
    for (let round = 0; round < 3; round++) {
      const made = Array.from({ length: 7 }, (_, index) => token({}, { kid: `k${round}-${index}` }));
      for (const text of await Promise.all(made)) expect((await me(text))[0]).toBe(401);
    }
    expect(corp.requests.length - before).toBe(2);
  });

  it('that is dead stops nobody whose key is known, for 24 h', async () => {
    await corp.die();
    for (let failure = 0; failure < 3; failure++) {
      node.clock.advance(5_000);
      expect(await me(await token({}, { kid: `gone-${failure}` }))).toEqual([401, 'AUTH_102']);
    }
    expect(await me(await token())).toEqual([200, 'corp~alice']);
    expect(healthOf(corp.url)).toMatch(/^true: 1 keys .* used for another 1440 min: /);
    node.clock.advance(24 * 3_600_000);
    expect(await me(await token())).toEqual([503, undefined]);
    expect(healthOf(corp.url)).toMatch(/^false: .* no longer used/);
    await corp.revive();
    // The pause of its breaker.
    node.clock.advance(400_000);
    expect(await me(await token())).toEqual([200, 'corp~alice']);
  });

  it('that is deleted lets nobody in', async () => {
    const text = await token();
    expect((await node.ask('DELETE', PATH, node.admin)).status).toBe(204);
    expect(await me(text)).toEqual([401, 'AUTH_106']);
  });
});
