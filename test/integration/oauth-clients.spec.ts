import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { clientSecret, fileStore, refreshToken, type AuthSession } from '../../src/sdk/auth/index.js';
import { Umbra, type Answer, type UmbraError, type UmbraOptions } from '../../src/sdk/index.js';
import { platformOf, type Clock } from '../../src/sdk/platform.js';
import { describeInBrowser, startBrowser, type Browser, type Page } from '../harness/browser.js';
import { startPageServer, type PageServer } from '../harness/page-server.js';
import { freePort } from '../harness/ports.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

/** Clients of OAuth 2 that nobody here wrote: what they refuse, no device with such a library could use. */
const INSECURE = { [oauth.allowInsecureRequests]: true };
const HOUR_MS = 3_600_000;
const SCOPE = 'iot:Get* offline_access';
let node: SecureNode;
let issuer: URL;
let secret: string;

beforeAll(async () => {
  const port = String(await freePort());
  issuer = new URL(`http://127.0.0.1:${port}`);
  node = await startSecureNode({ environment: { UMBRA_HTTP_PORT: port, UMBRA_AUTH_ISSUER: issuer.origin } });
  // The clients judge tokens by the clock of the machine.
  node.clock.set(Date.now());
  secret = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
});
afterAll(() => node.stop());

describe.each([
  ['client_secret_basic', 'lamp', openid.ClientSecretBasic, oauth.ClientSecretBasic],
  // The slash has to be encoded in Basic.
  ['client_secret_basic, tenant named', 'default/lamp', openid.ClientSecretBasic, oauth.ClientSecretBasic],
  ['client_secret_post', 'lamp', openid.ClientSecretPost, oauth.ClientSecretPost],
] as const)('by %s', (_, client_id, openidMethod, method) => {
  const client: oauth.Client = { client_id };
  let server: oauth.AuthorizationServer;
  beforeAll(async () => {
    const found = await oauth.discoveryRequest(new URL(issuer.origin), { algorithm: 'oauth2', ...INSECURE });
    server = await oauth.processDiscoveryResponse(new URL(issuer.origin), found);
  });
  const configured = (key = secret): Promise<openid.Configuration> =>
    openid.discovery(issuer, client_id, key, openidMethod(key), {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    });
  /** A token by oauth4webapi. */
  const grant = async (scope: string, key = secret): Promise<oauth.TokenEndpointResponse> => {
    const answer = await oauth.clientCredentialsGrantRequest(server, client, method(key), { scope }, INSECURE);
    return oauth.processClientCredentialsResponse(server, client, answer);
  };
  const shown = (token: string): Request =>
    new Request(`${issuer.origin}/v1/things/lamp/shadow`, { headers: { authorization: `Bearer ${token}` } });

  it('openid-client gets, uses, renews, inspects and ends tokens', async () => {
    const config = await configured();
    const first = await openid.clientCredentialsGrant(config, { scope: SCOPE });
    expect([first.token_type, first.scope, first.expiresIn()! > 3500]).toEqual(['bearer', SCOPE, true]);
    const next = await openid.refreshTokenGrant(config, first.refresh_token!);
    const url = new URL('/v1/auth/me', issuer);
    const me = await openid.fetchProtectedResource(config, next.access_token, url, 'GET');
    expect(await me.json()).toMatchObject({ principal: 'lamp', scopes: ['iot:Get*'] });
    const claims = { active: true, sub: 'lamp', client_id: 'default/lamp', iss: issuer.origin, token_type: 'Bearer' };
    expect(await openid.tokenIntrospection(config, next.access_token)).toMatchObject(claims);
    for (const token of [next.access_token, next.refresh_token!]) {
      await openid.tokenRevocation(config, token);
      expect(await openid.tokenIntrospection(config, token)).toEqual({ active: false });
    }
    await expect(openid.refreshTokenGrant(config, next.refresh_token!)).rejects.toMatchObject({
      ...{ name: 'ResponseBodyError', status: 400, error: 'invalid_grant' },
      error_description: expect.stringMatching(/revoked/),
    });
    await expect(openid.fetchProtectedResource(config, next.access_token, url, 'GET')).rejects.toMatchObject({
      cause: [{ scheme: 'bearer', parameters: { error: 'invalid_token' } }],
    });
  });

  it('oauth4webapi verifies tokens as a server of resources does, by the keys of the node', async () => {
    const { access_token, refresh_token } = await grant(SCOPE);
    const claims = await oauth.validateJwtAccessToken(server, shown(access_token), issuer.origin, INSECURE);
    expect(claims).toMatchObject({ sub: 'lamp', client_id: 'default/lamp', scope: 'iot:Get*' });
    const renewed = await oauth.refreshTokenGrantRequest(server, client, method(secret), refresh_token!, INSECURE);
    const { access_token: later } = await oauth.processRefreshTokenResponse(server, client, renewed);
    const [head, , signature] = access_token.split('.');
    const forged = [head, later.split('.')[1], signature].join('.');
    for (const [token, audience] of [
      [forged, issuer.origin],
      [access_token, 'https://other.example.com'],
    ] as const)
      await expect(oauth.validateJwtAccessToken(server, shown(token), audience, INSECURE)).rejects.toThrow(
        token === forged ? /signature verification failed/ : /"aud"/,
      );
  });

  it('both hear why they are refused', async () => {
    const challenge = { cause: [{ scheme: 'basic', parameters: { realm: 'umbra' } }], status: 401 };
    await expect(grant(SCOPE, `${secret.slice(0, -1)}_`)).rejects.toMatchObject(challenge);
    const config = await configured('umk_wrong');
    await expect(openid.clientCredentialsGrant(config)).rejects.toMatchObject(challenge);
    const names = { name: 'ResponseBodyError', error: 'invalid_scope', status: 400 };
    await expect(grant('root')).rejects.toMatchObject({
      ...names,
      error_description: expect.stringMatching(/scopes are/),
    });
    await expect(openid.refreshTokenGrant(await configured(), 'umr_x')).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const narrow = await grant('iot:GetThingShadow');
    const url = new URL('/v1/watch', issuer);
    const refused = openid.fetchProtectedResource(config, narrow.access_token, url, 'GET');
    await expect(refused).rejects.toMatchObject({
      ...{ status: 403, cause: [{ scheme: 'bearer', parameters: { error: 'insufficient_scope' } }] },
    });
  });
});

let key: string;
beforeAll(async () => {
  key = await node.make('dash', { kind: 'service', roles: ['service'] });
});

/** @returns the first refresh token of a login of `dash` */
async function login(key: string): Promise<string> {
  const answer = await fetch(`${node.url}/v1/auth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`dash:${key}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'offline_access' }),
  });
  return ((await answer.json()) as { refresh_token: string }).refresh_token;
}

async function revoke(id: string, secret: string, token: string): Promise<number> {
  const headers = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
  const body = new URLSearchParams({ token });
  return (await fetch(`${node.url}/v1/auth/revoke`, { method: 'POST', headers, body })).status;
}

describe('sessions of the client library', () => {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-sessions-'));
  const clients: Umbra[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function client(auth: AuthSession, options: Partial<UmbraOptions> = {}): Umbra {
    const made = new Umbra({ url: node.url, auth, ...options });
    clients.push(made);
    return made;
  }

  it('renew once for 200 calls that are refused at once', async () => {
    const asked: string[] = [];
    const counting: UmbraOptions['fetch'] = (url, init) => {
      asked.push(new URL(url).pathname);
      return fetch(url, init);
    };
    const auth = clientSecret('dash', key);
    const umbra = client(auth, { fetch: counting });
    const token = await auth.token(AbortSignal.timeout(60_000));
    expect(await revoke('dash', key, token)).toBe(200);
    asked.length = 0;
    const calls = Array.from({ length: 200 }, () => umbra.call({ path: '/v1/auth/me', timeoutMs: 60_000 }));
    const answers = await Promise.all(calls);
    const count = (path: string): number => asked.filter((each) => each === path).length;
    expect([answers.filter(({ status }) => status === 200).length, count('/v1/auth/token')]).toEqual([200, 1]);
    expect(count('/v1/auth/me')).toBeLessThanOrEqual(400);
  });

  it('send a body that is a stream once, and the next one with the next token', async () => {
    const auth = clientSecret('dash', key);
    const umbra = client(auth);
    const send = (): Promise<Answer> => {
      const body = new Blob(['{"thing":"lamp-2","desired":{"mode":"night"}}\n']).stream();
      return umbra.call({ method: 'POST', path: '/v1/bulk', body });
    };
    expect((await send()).text).toContain('"changed":1');
    await revoke('dash', key, await auth.token(AbortSignal.timeout(60_000)));
    await expect(send()).rejects.toMatchObject({ status: 401, authCode: 'AUTH_105' });
    expect((await send()).text).toContain('"changed":');
  });

  it('follow a stream over the end of their token, and end with their principal', async () => {
    const id = 'follower';
    const secret = await node.make(id, { kind: 'service', roles: ['service'] });
    const auth = clientSecret(id, secret);
    const umbra = client(auth);
    const heard = new Set<string>();
    const follow = async (): Promise<void> => {
      for await (const { thing } of umbra.watch({}, { reconnect: { firstMs: 10 } })) heard.add(thing);
    };
    const ended = follow().catch((error: UmbraError) => error);
    const hears = (thing: string): Promise<true> =>
      until(`a change of ${thing}`, async () => {
        await node.ask('POST', `/things/${thing}/shadow`, node.admin, { state: { desired: { on: true } } });
        return heard.has(thing);
      });
    await hears('before');
    const reasons: string[] = [];
    auth.on('refresh', ({ reason }) => reasons.push(reason));
    await revoke(id, secret, await auth.token(AbortSignal.timeout(10_000)));
    await hears('after');
    expect(reasons).toEqual(['rejected']);
    await node.ask('PUT', `/v1/principals/${id}`, node.admin, { kind: 'service', disabled: true }, { 'if-match': '*' });
    expect(await ended).toMatchObject({ status: 401, authCode: 'AUTH_105' });
    await expect(auth.refresh()).rejects.toMatchObject({ code: 'signed-out', authCode: 'AUTH_105' });
  });

  it('follow the policy of tokens while they run, and bear a node whose clock is wrong', async () => {
    let passed = 0;
    const { clock: real } = platformOf();
    const now = (): number => real.now() + passed;
    const clock: Clock = { now, monotonic: () => real.monotonic() + passed, after: real.after };
    let policies = 0;
    const counting: UmbraOptions['fetch'] = (url, init) =>
      fetch(url, init).finally(() => (policies += Number(url.endsWith('/v1/token-policy'))));
    const auth = clientSecret('dash', key);
    const umbra = client(auth, { clock, fetch: counting });
    const refreshes: unknown[] = [];
    auth.on('refresh', ({ reason, ttlMs }) => refreshes.push([reason, ttlMs]));
    /** On the clocks of both; that of the node is wrong besides. */
    const asks = async (ms: number): Promise<number> => {
      node.clock.set(node.clock.now() + ms);
      passed += ms;
      return (await umbra.call({ path: '/v1/auth/me' })).status;
    };
    for (const hours of [2, -4]) {
      node.clock.set(node.clock.now() + hours * HOUR_MS);
      await auth.refresh();
      expect([await asks(0), await asks(HOUR_MS + 60_000)]).toEqual([200, 200]);
    }
    const [forced, expired] = ['force', 'expiry'].map((reason) => [reason, HOUR_MS]);
    expect(refreshes).toEqual([forced, expired, forced, expired]);
    const policy = 'ttl: 600s\nforce_rotate: true\n';
    expect((await node.ask('PUT', '/v1/token-policy', node.admin, policy)).status).toBe(201);
    const before = policies;
    await auth.refresh();
    await until('the policy was read', () => policies > before);
    expect(await asks(301_000)).toBe(200);
    await until('the next token', () => refreshes.length === 6);
    expect(refreshes.slice(4)).toEqual(Array(2).fill(['force', 600_000]));
    await node.ask('DELETE', '/v1/token-policy', node.admin, undefined, { 'if-match': '*' });
    node.clock.set(Date.now());
  });

  it('of two processes with one store are one login, over 50 rotations each', async () => {
    const program = join(folder, 'rotate.mjs');
    await build({
      ...{ bundle: true, format: 'esm', platform: 'node', outfile: program, logLevel: 'silent' },
      stdin: { contents: ROTATE, resolveDir: resolve('.'), loader: 'ts' },
    });
    const store = join(folder, 'store');
    const first = await login(key);
    const run = async (): Promise<{ asked: number; ends: number }> => {
      const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.end(JSON.stringify({ url: node.url, key, store, first }));
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      await once(child, 'close');
      return JSON.parse(out) as { asked: number; ends: number };
    };
    const [one, other] = await Promise.all([run(), run()]);
    expect([one.ends, other.ends]).toEqual([0, 0]);
    expect(one.asked + other.asked).toBeGreaterThanOrEqual(50);
    const later = refreshToken({ url: node.url, clientId: 'dash', clientSecret: key, store: fileStore(store) });
    await later.refresh();
    later.close();
    expect(later.state).toBe('idle');
  });

  it('end at both ends when a refresh token was stolen and used', async () => {
    const first = await login(key);
    const options = { url: node.url, clientId: 'dash', clientSecret: key, refreshToken: first };
    const owner = refreshToken(options);
    const thief = refreshToken(options);
    const ends: string[] = [];
    owner.on('signedOut', ({ authCode }) => ends.push(`owner ${authCode}`));
    thief.on('signedOut', ({ authCode }) => ends.push(`thief ${authCode}`));
    await owner.refresh();
    await owner.refresh();
    await expect(thief.refresh()).rejects.toMatchObject({ authCode: 'AUTH_108' });
    await expect(owner.refresh()).rejects.toMatchObject({ authCode: 'AUTH_105' });
    expect(ends).toEqual(['thief AUTH_108', 'owner AUTH_105']);
    for (const session of [owner, thief]) session.close();
    node.clock.advance(6_000);
  });

  it('wait as long as the service asks after all tokens of the principal were revoked', async () => {
    const first = await login(key);
    const owner = refreshToken({ url: node.url, clientId: 'dash', clientSecret: key, refreshToken: first });
    await owner.refresh();
    await owner.refresh();
    const dash = clientSecret('dash', key, { url: node.url });
    await dash.refresh();
    const stolen = refreshToken({ url: node.url, clientId: 'dash', clientSecret: key, refreshToken: first });
    await expect(stolen.refresh()).rejects.toMatchObject({ authCode: 'AUTH_108' });
    const renewed = dash.refresh().catch(() => undefined);
    await until('it was asked to wait', () => dash.error !== null);
    expect(dash.error).toMatchObject({ authCode: 'AUTH_105', retryAfterMs: 5_000 });
    expect(dash.state).toBe('refreshing');
    await dash.signOut();
    await renewed;
    for (const session of [owner, dash, stolen]) session.close();
    node.clock.advance(6_000);
  });
});

describeInBrowser('sessions of tabs in Chromium', () => {
  let server: PageServer;
  let browser: Browser;
  let tabs: readonly Page[];
  beforeAll(async () => {
    [server, browser] = await Promise.all([startPageServer(node.url, TAB), startBrowser()]);
    tabs = [await browser.open(server.url), await browser.open(server.url)];
  });
  afterAll(async () => {
    await browser.stop();
    await server.stop();
  });
  const inEach = <T>(expression: string): Promise<T[]> => Promise.all(tabs.map((each) => each.evaluate<T>(expression)));

  it('are one login, over 50 rotations each, and end together', async () => {
    const options = { clientId: 'dash', clientSecret: key, refreshToken: await login(key) };
    await inEach(`begin(${JSON.stringify(options)})`);
    const counts = await inEach<{ asked: number; ends: number }>('rotate(50)');
    expect(counts.map(({ ends }) => ends)).toEqual([0, 0]);
    const asked = counts[0]!.asked + counts[1]!.asked;
    expect([asked >= 50, asked <= 100]).toEqual([true, true]);
    // The login is still good, and both show the token that the last of them got.
    expect(await inEach('me()')).toEqual([200, 200]);
    const [one, other] = await inEach<string>('token()');
    expect(one).toBe(other);
    const rows = await tabs[0]!.evaluate<{ keys: boolean[]; text: string }>('stored()');
    expect(rows.keys).toEqual([false]);
    expect(rows.text).not.toMatch(/umr_|eyJ/);
    await tabs[0]!.evaluate('leave()');
    expect(await tabs[1]!.evaluate('left')).toBe('signed-out');
    expect(tabs.flatMap(({ exceptions }) => exceptions)).toEqual([]);
  });
});

/** A tab of an application with a session in the store that all tabs share. */
const TAB = `
import { browserStore, refreshToken } from './src/sdk/auth/index.js';
import { Umbra } from './src/sdk/index.js';
let session, umbra, asked = 0, ends = 0;
const counting = (to: string, init: RequestInit) => {
  if (to.endsWith('/token')) asked++;
  return fetch(to, init);
};
Object.assign(globalThis, {
  begin(options) {
    session = refreshToken({ ...options, store: browserStore() });
    globalThis.left = new Promise((resolve) => session.on('signedOut', ({ code }) => (ends++, resolve(code))));
    umbra = new Umbra({ url: location.origin, auth: session, fetch: counting });
  },
  async rotate(times) {
    for (let n = 0; n < times && ends === 0; n++) await session.refresh();
    return { asked, ends };
  },
  me: async () => (await umbra.call({ path: '/v1/auth/me' })).status,
  token: async () => session.token(AbortSignal.timeout(10_000)),
  leave: () => session.signOut(),
  async stored() {
    const opening = indexedDB.open('umbra');
    const result = (asked) => new Promise((resolve) => (asked.onsuccess = () => resolve(asked.result)));
    const database = await result(opening);
    const rows = await result(database.transaction('sealed').objectStore('sealed').getAll());
    database.close();
    const keys = rows.filter((row) => row instanceof CryptoKey).map(({ extractable }) => extractable);
    const texts = rows.filter((row) => row.box).map(({ box }) => new TextDecoder('latin1').decode(box));
    return { keys, text: texts.join('') };
  },
});
`;

/** Renews 50 times, as another process may do beside it. */
const ROTATE = `
import { text } from 'node:stream/consumers';
import { fileStore, refreshToken } from './src/sdk/auth/index.js';
const { url, key, store, first } = JSON.parse(await text(process.stdin));
let asked = 0;
let ends = 0;
const counting = (to: string, init: RequestInit) => {
  if (to.endsWith('/token')) asked++;
  return fetch(to, init);
};
const options = { url, clientId: 'dash', clientSecret: key, refreshToken: first, fetch: counting };
const session = refreshToken({ ...options, store: fileStore(store) });
session.on('signedOut', () => ends++);
for (let n = 0; n < 50 && ends === 0; n++) await session.refresh();
session.close();
console.log(JSON.stringify({ asked, ends }));
`;
