import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import type Provider from 'oidc-provider';
import { oidc, type OidcSession } from '../../src/sdk/auth/index.js';
import { Umbra } from '../../src/sdk/index.js';
import { platformOf, type Clock } from '../../src/sdk/platform.js';
import { describeInBrowser, startBrowser, type Browser } from '../harness/browser.js';
import { runCommand } from '../harness/command.js';
import { FormBrowser } from '../harness/form-browser.js';
import { startPageServer } from '../harness/page-server.js';
import { freePort } from '../harness/ports.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

/** An issuer that nobody here wrote: the certified OpenID provider of npm, in this process. */
const AUDIENCE = 'https://shadows.example.com';
const BACK = 'http://127.0.0.1/back';
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const CLIENT = { client_id: 'console', client_secret: 'not-a-secret' };
let node: SecureNode;
let server: Server;
let url: string;

/** It takes the place of the one before, as after a restart with another key. */
async function provide(kid: string): Promise<void> {
  const { default: Constructor } = await import('oidc-provider');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keys = [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }];
  const getResourceServerInfo = () => ({
    ...{ scope: 'iot:GetThingShadow', audience: AUDIENCE, accessTokenTTL: 600 },
    ...{ accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  });
  const created: Provider = new Constructor(url, {
    clients: [
      {
        ...CLIENT,
        ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
        ...{ scope: 'iot:GetThingShadow', id_token_signed_response_alg: 'ES256' },
      },
      {
        ...{ client_id: 'app', token_endpoint_auth_method: 'none', application_type: 'native' },
        ...{
          grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
          redirect_uris: [BACK, 'http://127.0.0.1/callback'],
        },
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys },
    features: {
      clientCredentials: { enabled: true },
      // Its pages for a login, which take any name.
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: { enabled: true, defaultResource: () => AUDIENCE, getResourceServerInfo },
    },
    // Pages ask it from their own origin.
    clientBasedCORS: () => true,
    scopes: ['openid', 'offline_access', 'iot:GetThingShadow'],
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    extraTokenClaims: () => ({ realm_access: { roles: ['shadow-operators', 'admin'] }, tenant: 'other' }),
    cookies: { keys: ['not-a-secret'] },
  });
  server.removeAllListeners('request').on('request', created.callback());
}

/** Does not wait for the 5 s after which a device asks whether somebody has signed in. */
const { clock } = platformOf();
const IMPATIENT: Clock = { ...clock, after: (ms, ...more) => clock.after(ms === 5_000 ? 50 : ms, ...more) };

/** An access token by the client credentials grant. */
async function granted(scope?: string): Promise<string> {
  const form = { grant_type: 'client_credentials', resource: AUDIENCE, ...(scope !== undefined && { scope }) };
  const basic = Buffer.from(`${CLIENT.client_id}:${CLIENT.client_secret}`).toString('base64');
  const headers = { authorization: `Basic ${basic}` };
  const answer = await fetch(`${url}/token`, { method: 'POST', headers, body: new URLSearchParams(form) });
  const body = (await answer.json()) as { access_token: string };
  if (answer.status !== 200) throw new Error(JSON.stringify(body));
  return body.access_token;
}

beforeAll(async () => {
  // It warns of what is right in a test.
  for (const method of ['warn', 'info'] as const) jest.spyOn(console, method).mockImplementation(() => undefined);
  node = await startSecureNode({ environment: { UMBRA_METRICS_PORT: '0' } });
  node.clock.set(Date.now());
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await provide('first');
  const made = await node.ask('PUT', '/v1/issuers/op', node.admin, {
    ...{ url, audiences: [AUDIENCE], algorithms: ['ES256'] },
    ...{ rolesFrom: '/realm_access/roles', roles: { 'shadow-operators': ['operator'] } },
  });
  expect(made.status).toBe(201);
  await until('its keys', async () => (await node.ask('GET', '/v1/issuers/op', node.admin)).body.keys === 1);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await node.stop();
});

it('lets its clients in by HTTP and MQTT, on a node that issues no tokens itself', async () => {
  const text = await granted();
  const { body } = await node.ask('GET', '/v1/auth/me', text);
  expect(body).toMatchObject({ tenant: 'default', principal: 'op~console', roles: ['operator'], scopes: ['*'] });
  const made = await node.ask('POST', '/things/lamp/shadow', text, '{"state":{"desired":{"on":true}}}');
  expect(made.status).toBe(200);
  const client = await node.connect('op~console', text);
  await client.subscribeAsync('$aws/things/lamp/shadow/update/accepted');
  await client.endAsync();
  expect((await node.ask('GET', '/v1/principals', text)).status).toBe(403);
});

it('narrows by the scopes that it grants', async () => {
  const text = await granted('iot:GetThingShadow');
  expect((await node.ask('GET', '/v1/auth/me', text)).body.scopes).toEqual(['iot:GetThingShadow']);
  const asked = async (method: string): Promise<number> => (await node.ask(method, '/things/lamp/shadow', text)).status;
  expect([await asked('GET'), await asked('DELETE')]).toEqual([200, 403]);
});

it('is followed when it has new keys', async () => {
  const old = await granted();
  expect((await node.ask('GET', '/v1/auth/me', old)).status).toBe(200);
  await provide('second');
  node.clock.advance(5_000);
  expect((await node.ask('GET', '/v1/auth/me', await granted())).status).toBe(200);
  expect((await node.ask('GET', '/v1/auth/me', old)).status).toBe(401);
});

it('signs people in who run the command umbra, until they sign out', async () => {
  const config = mkdtempSync(join(tmpdir(), 'umbra-login-'));
  const umbra = (line: string, heard?: (stdout: string, stderr: string) => void) =>
    runCommand(line.split(' '), config, heard && { heard });
  let visited: Promise<Response> | undefined;
  const comeBack = async (address: string): Promise<Response> => {
    const { searchParams } = new URL(address);
    const alice = new FormBrowser({ login: 'alice', password: 'any' });
    return fetch(await alice.visit(address, searchParams.get('redirect_uri')!));
  };
  try {
    const line = `login op --server ${node.url} --issuer ${url} --client-id app --resource ${AUDIENCE} --json`;
    const login = await umbra(`${line} --port ${await freePort()}`, (_, stderr) => {
      const address = /http\S+\/auth\?\S+(?=\n)/.exec(stderr)?.[0];
      if (address !== undefined) visited ??= comeBack(address);
    });
    expect([login.exit, (await visited)?.status, JSON.parse(login.stdout)]).toEqual([
      ...[0, 200, expect.objectContaining({ context: 'op', tenant: 'default', principal: 'op~alice' })],
    ]);
    const tokens = readFileSync(join(config, 'umbra/tokens/op.token'), 'utf8');
    expect((await umbra('get nothing')).exit).toBe(5);
    expect((await umbra('logout')).exit).toBe(0);
    expect((await umbra('get nothing')).exit).toBe(3);
    const shown = login.stdout + login.stderr + login.visible;
    expect([tokens.includes('eyJ'), shown.includes('eyJ')]).toEqual([true, false]);
  } finally {
    rmSync(config, { recursive: true });
  }
});

describe('the client library', () => {
  let auth: OidcSession;
  let umbra: Umbra;
  const alice = (): FormBrowser => new FormBrowser({ login: 'alice', password: 'any' });
  const me = async (): Promise<object> => JSON.parse((await umbra.call({ path: '/v1/auth/me' })).text) as object;
  beforeEach(() => {
    const options = { issuer: url, clientId: 'app', resource: AUDIENCE, clock: IMPATIENT };
    auth = oidc({ ...options, parameters: { prompt: 'consent' } });
    umbra = new Umbra({ url: node.url, auth });
  });
  afterEach(() => umbra.close());

  it('signs somebody in by code, renews, and signs out', async () => {
    const ends: string[] = [];
    await expect(me()).rejects.toMatchObject({ code: 'signed-out' });
    const back = await alice().visit(await auth.begin({ redirectUri: BACK }), BACK);
    await auth.finish(back);
    expect(await me()).toMatchObject({ principal: 'op~alice', roles: ['operator'] });
    const first = await auth.token(AbortSignal.timeout(10_000));
    await auth.refresh();
    expect(await auth.token(AbortSignal.timeout(10_000))).not.toBe(first);
    expect(await me()).toMatchObject({ principal: 'op~alice' });
    await expect(auth.finish(back)).rejects.toMatchObject({ code: 'invalid-argument' });
    auth.on('signedOut', ({ code }) => ends.push(code));
    await auth.signOut();
    await expect(me()).rejects.toMatchObject({ code: 'signed-out' });
    expect(ends).toEqual(['signed-out']);
  });

  it('signs somebody in who types a code elsewhere', async () => {
    const login = await auth.deviceCode();
    expect(await alice().visit(login.verificationUriComplete!, BACK)).toMatch(/Sign-in Success/);
    await login.finish();
    expect(await me()).toMatchObject({ principal: 'op~alice' });
  });
});

describeInBrowser('in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => void (browser = await startBrowser()));
  afterAll(() => browser.stop());

  it('the page of what the node does is drawn, without a script', async () => {
    await node.ask('GET', '/things/lamp/shadow', node.admin);
    const page = await browser.open(new URL('/status', node.metricsUrl!).href);
    const shown = await page.evaluate<Record<string, unknown>>(`({
      title: document.title,
      charts: [...document.querySelectorAll('section')].map((each) => each.querySelector('h2').textContent),
      drawn: [...document.querySelectorAll('polyline')].filter((each) => each.getAttribute('points') !== '').length,
      colour: getComputedStyle(document.querySelector('polyline')).stroke,
      loaded: performance.getEntriesByType('resource').filter(({ name }) => !name.endsWith('/favicon.ico')).length,
      scripts: document.scripts.length,
    })`);
    expect(shown).toMatchObject({
      charts: ['Traffic', 'Errors', 'Latency', 'Saturation'],
      ...{ colour: 'rgb(26, 127, 55)', loaded: 0, scripts: 0, title: expect.stringMatching(/^Umbra ./) },
    });
    expect(shown['drawn']).toBeGreaterThanOrEqual(5);
    expect([page.console, page.exceptions]).toEqual([[], []]);
    // Nothing that gets into the page can run.
    const inline = "document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = 1' }))";
    await page.evaluate(inline);
    expect(await page.evaluate('typeof window.ran')).toBe('undefined');
    await page.close();
  });

  it('the client library begins a login on one page, finishes it on the next, and all tabs have it', async () => {
    const server = await startPageServer(node.url, pageFor(url));
    try {
      const first = await browser.open(server.url);
      expect(await first.evaluate('me()')).toBe('signed-out');
      const back = await new FormBrowser({ login: 'bob', password: 'any' }).visit(
        await first.evaluate('begin()'),
        `${server.url}/back`,
      );
      const second = await browser.open(back);
      expect(await second.evaluate('finished.then(me)')).toBe('op~bob');
      await until('the first tab hears of it', async () => (await first.evaluate('me()')) === 'op~bob');
      // A login is finished once, and its tokens are renewed by one tab for both.
      expect(await second.evaluate('finish(location.href)')).toBe('invalid-argument');
      const counts = await Promise.all([first, second].map((each) => each.evaluate<number>('rotate(10)')));
      expect(counts[0]! + counts[1]!).toBeLessThanOrEqual(20);
      expect(await Promise.all([first, second].map((each) => each.evaluate('me()')))).toEqual(['op~bob', 'op~bob']);
      await first.evaluate('auth.signOut()');
      await until('the second tab hears of it', async () => (await second.evaluate('me()')) === 'signed-out');
      expect([...first.exceptions, ...second.exceptions]).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});

const pageFor = (issuer: string): string => `
import { browserStore, oidc } from './src/sdk/auth/index.js';
import { Umbra } from './src/sdk/index.js';
let asked = 0;
const counting = (to: string, init: RequestInit) => {
  if (to.endsWith('/token')) asked++;
  return fetch(to, init);
};
const redirectUri = location.origin + '/back';
const options = { issuer: '${issuer}', clientId: 'app', resource: '${AUDIENCE}', parameters: { prompt: 'consent' } };
const auth = oidc({ ...options, redirectUri, store: browserStore(), fetch: counting });
const umbra = new Umbra({ url: location.origin, auth });
const codeOf = ({ code }) => code;
Object.assign(globalThis, {
  auth,
  begin: () => auth.begin(),
  finish: (address) => auth.finish(address).catch(codeOf),
  finished: location.pathname === '/back' ? auth.finish(location.href) : null,
  me: () => umbra.call({ path: '/v1/auth/me' }).then(({ text }) => JSON.parse(text).principal, codeOf),
  async rotate(times) {
    for (let n = 0; n < times; n++) await auth.refresh();
    return asked;
  },
});
`;
