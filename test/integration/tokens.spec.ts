import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { pino } from 'pino';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { startSecureNode, type Asked, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const ISSUER = 'https://shadows.example.com';
const lines: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
let node: SecureNode;
/** Keys by principal. */
const keys: Record<string, string> = {};
/** Every token that was given, which no log may hold. */
const given: string[] = [];

/** A request of OAuth by `client_secret_basic`. @param who null: nobody */
async function post(path: string, who: string | null, form: Record<string, string>): Promise<Asked> {
  const basic = `Basic ${Buffer.from(`${encodeURIComponent(who ?? '')}:${keys[who ?? '']}`).toString('base64')}`;
  const answer = await fetch(node.url + path, {
    method: 'POST',
    headers: who === null ? {} : { authorization: basic },
    body: new URLSearchParams(form),
  });
  const body = (await answer.json()) as Asked['body'];
  given.push(...[body.access_token, body.refresh_token].filter((text) => typeof text === 'string'));
  return { status: answer.status, headers: answer.headers, body };
}

const token = (who: string | null, form: Record<string, string>): Promise<Asked> => post('/v1/auth/token', who, form);
const grant = async (who: string, scope?: string): Promise<string> =>
  (await token(who, { grant_type: 'client_credentials', ...(scope !== undefined && { scope }) })).body.access_token;
const login = async (who: string, scope = ''): Promise<{ access: string; refresh: string }> => {
  const { body } = await token(who, { grant_type: 'client_credentials', scope: `${scope} offline_access` });
  return { access: body.access_token, refresh: body.refresh_token };
};
const refresh = (who: string, refresh_token: string, more: Record<string, string> = {}): Promise<Asked> =>
  token(who, { grant_type: 'refresh_token', refresh_token, ...more });

beforeAll(async () => {
  node = await startSecureNode({ logger, environment: { UMBRA_AUTH_ISSUER: ISSUER } });
  await node.ask('PUT', '/v1/tenants/other', node.admin, {});
  keys['lamp'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
  keys['service'] = await node.make('service', { kind: 'service', roles: ['service'] });
  keys['other/lamp'] = await node.make('lamp', { thing: 'lamp', roles: ['device'] }, 'other');
  keys['admin'] = node.admin;
});
afterAll(() => node.stop());

describe('the token endpoint', () => {
  it('gives a token for a key, by Basic or in the body, that opens every door', async () => {
    const { status, headers, body } = await token('lamp', { grant_type: 'client_credentials' });
    expect([status, headers.get('cache-control'), headers.get('content-type')]).toEqual([
      ...[200, 'no-store', 'application/json'],
    ]);
    expect(body).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 3600, scope: '*' });
    const claims = decodeJwt(body.access_token as string);
    expect(claims).toMatchObject({ iss: ISSUER, aud: ISSUER, sub: 'lamp', client_id: 'default/lamp', scope: '*' });
    const posted = { grant_type: 'client_credentials', client_id: 'default/lamp', client_secret: keys['lamp']! };
    expect((await token(null, posted)).status).toBe(200);
    const path = '/things/lamp/shadow';
    expect((await node.ask('POST', path, body.access_token as string, '{"state":{"reported":{"a":1}}}')).status).toBe(
      200,
    );
    expect((await node.ask('GET', '/things/door/shadow', body.access_token as string)).status).toBe(403);
    const client = await node.connect('lamp', body.access_token as string);
    await client.subscribeAsync('$aws/things/lamp/shadow/get/accepted');
    await client.endAsync();
    const me = await node.ask('GET', '/v1/auth/me', body.access_token as string);
    expect(me.body).toMatchObject({ tenant: 'default', principal: 'lamp', thing: 'lamp', scopes: ['*'] });
  });

  // Rows: what, client, form, status, error, code.
  it.each([
    ['no client', null, { grant_type: 'client_credentials' }, 401, 'invalid_client', 'AUTH_101'],
    ['an unknown client', 'nobody', { grant_type: 'client_credentials' }, 401, 'invalid_client', 'AUTH_111'],
    ['a key of another client', null, () => ({ ...KEY, client_id: 'service' }), 401, 'invalid_client', 'AUTH_111'],
    ['a key of another tenant', null, () => ({ ...KEY, client_id: 'other/lamp' }), 401, 'invalid_client', 'AUTH_111'],
    ['a key in Basic and in the body', 'lamp', () => KEY, 400, 'invalid_request', undefined],
    ['no grant', 'lamp', {}, 400, 'invalid_request', undefined],
    ['another grant', 'lamp', { grant_type: 'password' }, 400, 'unsupported_grant_type', undefined],
    ['an unknown scope', 'lamp', { grant_type: 'client_credentials', scope: 'root' }, 400, 'invalid_scope', undefined],
    ['no refresh token', 'lamp', { grant_type: 'refresh_token' }, 400, 'invalid_request', undefined],
    [
      'a text as refresh token',
      'lamp',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      400,
      'invalid_grant',
      'AUTH_102',
    ],
  ] as const)('refuses %s', async (_, who, form, status, error, code) => {
    const answer = await token(who, typeof form === 'function' ? form() : form);
    expect([answer.status, answer.body.error, answer.body.code]).toEqual([status, error, code]);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Basic realm="umbra"' : null);
    expect(answer.body.error_description).toMatch(/\w/);
  });

  it('takes nothing from the URL, from JSON, or twice', async () => {
    expect((await post('/v1/auth/token?grant_type=client_credentials', 'lamp', {})).body.error).toBe('invalid_request');
    const once = new URLSearchParams(KEY).toString();
    for (const [body, status] of [
      [JSON.stringify(KEY), 401],
      [`${once}&grant_type=x`, 400],
      [once, 200],
    ] as const)
      expect([body.length, (await node.ask('POST', '/v1/auth/token', null, body)).status]).toEqual([
        body.length,
        status,
      ]);
    const path = `/things/lamp/shadow?access_token=${await grant('lamp')}`;
    expect((await node.ask('GET', path, null)).status).toBe(401);
  });

  it('is found by the URL of the issuer, and its keys verify its tokens', async () => {
    const { body } = await node.ask('GET', '/.well-known/oauth-authorization-server', null);
    expect([body.issuer, body.token_endpoint]).toEqual([ISSUER, `${ISSUER}/v1/auth/token`]);
    const set = await node.ask('GET', new URL(body.jwks_uri as string).pathname, null);
    expect(set.body.keys).toHaveLength(2);
    for (const key of set.body.keys) expect(Object.keys(key as object).sort()).toEqual([...PUBLIC_MEMBERS].sort());
  });
});

describe('scopes', () => {
  it('narrow what policies allow, and never widen it', async () => {
    const narrow = await grant('lamp', 'iot:GetThingShadow');
    expect((await node.ask('GET', '/v1/things/lamp/shadow', narrow)).status).not.toBe(403);
    const refused = await node.ask('PATCH', '/v1/things/lamp/shadow/desired', narrow, { a: 1 });
    expect([refused.status, refused.body.code]).toEqual([403, 'AUTH_203']);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope"');
    await expect(node.connect('lamp', narrow)).rejects.toMatchObject({ code: 0x87 });
    const wide = await node.ask('GET', '/v1/principals', await grant('lamp', 'umbra:* iot:*'));
    expect([wide.status, wide.body.code]).toEqual([403, 'AUTH_202']);
  });

  it('of a refresh can only be fewer', async () => {
    const { refresh: first } = await login('lamp', 'iot:Get*');
    const wider = await refresh('lamp', first, { scope: 'iot:GetThingShadow iot:Publish' });
    expect([wider.status, wider.body.error, wider.body.code]).toEqual([400, 'invalid_scope', 'AUTH_203']);
    const { body } = await refresh('lamp', first, { scope: 'iot:GetThingShadow' });
    expect(decodeJwt(body.access_token as string)['scope']).toBe('iot:GetThingShadow');
    const { body: later } = await refresh('lamp', body.refresh_token as string);
    expect(decodeJwt(later.access_token as string)['scope']).toBe('iot:Get*');
  });
});

describe('attacks', () => {
  it('refuse a refresh token that was used before, and end all tokens of its login', async () => {
    keys['robbed'] = await node.make('robbed', { kind: 'service', roles: ['service'] });
    const { access, refresh: old } = await login('robbed');
    const client = await node.connect('robbed', access);
    const reasons: (number | undefined)[] = [];
    client.on('disconnect', ({ reasonCode }) => void reasons.push(reasonCode));
    const { body } = await refresh('robbed', old);
    expect((await node.ask('GET', '/v1/things', body.access_token as string)).status).toBe(200);
    node.clock.advance(11_000);
    const replayed = await refresh('robbed', old);
    expect([replayed.status, replayed.body.error, replayed.body.code]).toEqual([400, 'invalid_grant', 'AUTH_108']);
    expect((await refresh('robbed', body.refresh_token as string)).body.code).toBe('AUTH_105');
    const after = await node.ask('GET', '/v1/things', body.access_token as string);
    expect([after.status, after.body.code]).toEqual([401, 'AUTH_105']);
    await until('the end of the connection', () => !client.connected);
    expect(reasons).toEqual([0x87]);
    node.clock.advance(6_000);
    expect((await token('robbed', { grant_type: 'client_credentials' })).status).toBe(200);
  });

  it('gain nothing from the refresh token of another client, or from one that is made up for a true login', async () => {
    const { refresh: first } = await login('lamp');
    for (const who of ['service', 'other/lamp']) {
      const { body } = await refresh(who, first);
      expect([who, body.error, body.code]).toEqual([who, 'invalid_grant', 'AUTH_107']);
    }
    const madeUp = first.slice(0, 40) + first.slice(40).split('').reverse().join('');
    expect((await refresh('lamp', madeUp)).body.code).toBe('AUTH_102');
    expect((await refresh('lamp', first)).status).toBe(200);
  });

  it('gain nothing from a token that is not signed by us', async () => {
    const text = await grant('lamp');
    const [header = '', payload = '', signature = ''] = text.split('.');
    const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const own = decodeJwt(text);
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid: string };
    const signed = (claims: object, head: object): Promise<string> =>
      new SignJWT(claims as never).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...head }).sign(privateKey);
    const set = await node.ask('GET', '/.well-known/jwks.json', null);
    const hmacHead = encoded({ alg: 'HS256', typ: 'at+jwt', kid });
    const hmac = createHmac('sha256', JSON.stringify(set.body.keys[0])).update(`${hmacHead}.${payload}`);
    const attacks = {
      none: `${encoded({ alg: 'none', typ: 'at+jwt' })}.${payload}.`,
      noneSigned: `${encoded({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.${signature}`,
      otherClaims: `${header}.${encoded({ ...own, sub: 'admin' })}.${signature}`,
      hmac: `${hmacHead}.${payload}.${hmac.digest('base64url')}`,
      otherKey: await signed(own, { kid }),
      ownKeyInHeader: await signed(own, { jwk: await exportJWK(publicKey) }),
      foreign: await signed({ ...own, iss: 'https://evil.example' }, { kid }),
      cut: text.slice(0, -4),
    };
    for (const [name, attack] of Object.entries(attacks)) {
      const { status, body } = await node.ask('GET', '/v1/things', attack);
      expect([name, status]).toEqual([name, 401]);
      expect([name, body.code]).toEqual([name, CODES[name as keyof typeof CODES] ?? 'AUTH_102']);
      await expect(node.connect('lamp', attack)).rejects.toThrow();
    }
  });
});

describe('the end of a token', () => {
  it('comes with its time, for requests and connections', async () => {
    const text = await grant('lamp');
    const client = await node.connect('lamp', text);
    node.clock.advance(3_600_000);
    const late = await node.ask('GET', '/v1/things/lamp/shadow', text);
    expect([late.status, late.body.code]).toEqual([401, 'AUTH_103']);
    await until('the end of the connection', () => !client.connected, 20_000);
  });

  it.each([
    ['it is revoked', async (_: string, text: string) => post('/v1/auth/revoke', 'leaving', { token: text })],
    ['its key is deleted', async (id: string) => deleteKeys(id)],
    ['its principal is deleted', async (id: string) => node.ask('DELETE', `/v1/principals/${id}`, node.admin)],
  ])('comes at once when %s', async (_what, end) => {
    keys['leaving'] = await node.make('leaving', { kind: 'service', roles: ['service'] });
    const text = await grant('leaving');
    const client = await node.connect('leaving', text);
    const stream = await fetch(`${node.url}/v1/watch`, { headers: { authorization: `Bearer ${text}` } });
    const events = stream.text();
    await end('leaving', text);
    const refused = await node.ask('GET', '/v1/things', text);
    expect([refused.status, refused.body.code]).toEqual([401, 'AUTH_105']);
    await until('the end of the connection', () => !client.connected);
    expect(await events).toContain('"reason":"forbidden"');
    await node.ask('DELETE', '/v1/principals/leaving', node.admin);
  });

  it('is brought by nobody but its client', async () => {
    const { access, refresh: first } = await login('lamp');
    for (const text of [access, first, 'x', 'eyJ.eyJ.x']) {
      const { status, body } = await post('/v1/auth/revoke', 'service', { token: text });
      expect([status, body]).toEqual([200, {}]);
    }
    expect((await post('/v1/auth/revoke', null, { token: access })).status).toBe(401);
    expect((await node.ask('GET', '/v1/auth/me', access)).status).toBe(200);
    const { body } = await refresh('lamp', first);
    await post('/v1/auth/revoke', 'lamp', { token: body.refresh_token as string });
    expect((await refresh('lamp', body.refresh_token as string)).body.code).toBe('AUTH_105');
  });
});

it('tells of a token what it holds for, to whom it concerns', async () => {
  const { access, refresh: first } = await login('lamp');
  const seen = async (who: string, text: string): Promise<Asked['body']> =>
    (await post('/v1/auth/introspect', who, { token: text })).body;
  expect(await seen('service', access)).toMatchObject({ active: true, sub: 'lamp', iss: ISSUER, token_type: 'Bearer' });
  expect(await seen('lamp', first)).toMatchObject({ active: true, sub: 'lamp', client_id: 'default/lamp' });
  for (const [who, text] of [
    ['other/lamp', access],
    ['service', first],
    ['lamp', 'x'],
    ['lamp', `${access}x`],
  ] as const)
    expect(await seen(who, text)).toEqual({ active: false });
  expect((await post('/v1/auth/introspect', null, { token: access })).status).toBe(401);
  await post('/v1/auth/revoke', 'lamp', { token: access });
  expect(await seen('lamp', access)).toEqual({ active: false });
});

describe('the token policy', () => {
  const path = '/v1/token-policy';

  it('is in force at once, for who may not change it too, and goes back to the defaults', async () => {
    const before = await grant('lamp');
    expect((await node.ask('GET', path, before)).body).toMatchObject({ tenant: 'default', ttl: 3600, yaml: null });
    const yaml = '# short\nttl: 120s\ntenants:\n  other: { ttl: 5m }\n';
    const made = await node.ask('PUT', path, node.admin, yaml);
    expect([made.status, made.body.ttl, made.headers.get('etag')]).toEqual([
      201,
      120,
      expect.stringMatching(/^"\d+"$/),
    ]);
    const { body } = await token('lamp', { grant_type: 'client_credentials' });
    expect(body.expires_in).toBe(120);
    expect((await token('other/lamp', { grant_type: 'client_credentials' })).body.expires_in).toBe(300);
    const [seen, full] = [await node.ask('GET', path, before), await node.ask('GET', path, node.admin)];
    expect([seen.body.ttl, seen.body.yaml, full.body.yaml]).toEqual([120, null, yaml]);
    expect((await node.ask('PUT', path, node.admin, yaml)).status).toBe(412);
    const match = { 'if-match': made.headers.get('etag')! };
    expect((await node.ask('PUT', path, node.admin, 'ttl: 90s', match)).body.ttl).toBe(90);
    expect((await node.ask('DELETE', path, node.admin)).status).toBe(204);
    expect((await node.ask('GET', path, before)).body.ttl).toBe(3600);
  });

  it('is refused as a whole, with the places of its problems', async () => {
    const { status, body } = await node.ask('PUT', path, node.admin, 'ttl: 120s\ngrace: 1s\nbinding: all\n');
    expect([status, body.errors.map(({ parameter }: { parameter: string }) => parameter)]).toEqual([
      400,
      ['2:1', '3:10'],
    ]);
    expect(body.detail).toMatch(/^2:1: grace is not known/);
    expect((await node.ask('PUT', path, node.admin, '')).status).toBe(400);
    expect((await node.ask('GET', path, node.admin)).body).toMatchObject({ ttl: 3600, yaml: null });
  });

  it('is changed by who may administer all tenants alone', async () => {
    const chief = await node.make('chief', { kind: 'person', roles: ['tenant-admin'] });
    for (const [method, key] of [
      ['PUT', chief],
      ['DELETE', chief],
      ['PUT', await grant('lamp')],
    ] as const)
      expect((await node.ask(method, path, key, 'ttl: 1d')).status).toBe(403);
    const narrow = await grant('admin', 'iot:*');
    expect((await node.ask('PUT', path, narrow, 'ttl: 1d')).body.code).toBe('AUTH_203');
  });
});

it('asks for a new token while the old one is accepted by grace alone', async () => {
  const made = await node.ask('PUT', '/v1/token-policy', node.admin, 'ttl: 120s\ngrace_period: 60s\n');
  const text = await grant('lamp');
  const asked = async (): Promise<[number, string | null]> => {
    const { status, headers } = await node.ask('GET', '/v1/auth/me', text);
    return [status, headers.get('umbra-token')];
  };
  expect(await asked()).toEqual([200, null]);
  node.clock.advance(121_000);
  expect(await asked()).toEqual([200, 'renew']);
  node.clock.advance(60_000);
  expect(await asked()).toEqual([401, null]);
  await node.ask('DELETE', '/v1/token-policy', node.admin, undefined, { 'if-match': made.headers.get('etag')! });
});

it('holds on all nodes of a cluster, until it is revoked on one of them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-tokens-'));
  const file = join(folder, 'master.key');
  writeFileSync(file, randomBytes(32).toString('hex'));
  const shared = { keys: new MemoryClusterKeys(), environment: { UMBRA_AUTH_ISSUER: ISSUER, UMBRA_MASTER_KEY: file } };
  const [one, two] = [await startSecureNode(shared), await startSecureNode(shared)];
  try {
    const key = one.admin;
    const form = { grant_type: 'client_credentials', client_id: 'admin', client_secret: key };
    const of = async (at: SecureNode, path: string, body: Record<string, string>): Promise<Asked> =>
      at.ask('POST', path, null, new URLSearchParams(body).toString());
    const text = (await of(one, '/v1/auth/token', form)).body.access_token as string;
    const client = await two.connect('admin', text);
    await of(one, '/v1/auth/revoke', { ...form, token: text });
    await until('the end of the connection', () => !client.connected);
    expect((await two.ask('GET', '/v1/auth/me', text)).body.code).toBe('AUTH_105');
  } finally {
    await two.stop();
    await one.stop();
    rmSync(folder, { recursive: true });
  }
});

it('without an issuer says what to set', async () => {
  const bare = await startSecureNode();
  try {
    for (const [method, path] of [
      ['POST', '/v1/auth/token'],
      ['POST', '/v1/auth/revoke'],
      ['POST', '/v1/auth/introspect'],
      ['GET', '/.well-known/jwks.json'],
      ['GET', '/.well-known/oauth-authorization-server'],
    ] as const) {
      const { status, body } = await bare.ask(method, path, null);
      expect([path, status, body.detail]).toEqual([path, 404, expect.stringContaining('UMBRA_AUTH_ISSUER')]);
    }
    expect((await bare.ask('GET', '/v1/auth/me', bare.admin)).body).toMatchObject({ principal: 'admin', scopes: null });
  } finally {
    await bare.stop();
  }
});

it('logs no token and no key', () => {
  const log = lines.join('');
  expect(given.length).toBeGreaterThan(10);
  for (const text of [...given, ...Object.values(keys)]) expect(log).not.toContain(text.slice(-20));
});

const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'kid', 'alg', 'use'];
const CODES = { none: 'AUTH_101', foreign: 'AUTH_106', cut: 'AUTH_102' };
const KEY = {
  grant_type: 'client_credentials',
  client_id: 'lamp',
  get client_secret(): string {
    return keys['lamp']!;
  },
};

async function deleteKeys(id: string): Promise<void> {
  const { body } = await node.ask('GET', `/v1/principals/${id}/keys`, node.admin);
  for (const key of body.keys as { id: string }[])
    await node.ask('DELETE', `/v1/principals/${id}/keys/${key.id}`, node.admin);
}
