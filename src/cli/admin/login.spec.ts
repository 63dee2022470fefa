import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../../test/harness/ports.js';
import { scriptedFetch, type ScriptedFetch, type Sent } from '../../sdk/testing/index.js';
import { EXIT } from '../exit-code.js';
import { Commands, type Ended, type Given } from '../testing/commands.js';

const KEY = 'umk_0123456789abcdefSECRET';
const ISSUER = 'https://login.test';
const ME = { tenant: 'acme', principal: 'ada', roles: [], expiresAt: null };
const TOKENS = { access_token: 'opaque-access-token', refresh_token: 'opaque-refresh-token', expires_in: 300 };

let commands: Commands;
/** What the provider answers for a device code, in turn. */
let polls: object[];
let nonce: string | null;
/** Whether the service takes the credential. */
let isTaken: boolean;
/** Whether the provider still knows the login. */
let isKnown: boolean;
let fetch: ScriptedFetch;

beforeEach(() => {
  commands = new Commands();
  [polls, nonce, isTaken, isKnown] = [[], null, true, true];
  fetch = scriptedFetch(answer);
});
afterEach(() => commands.remove());

const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/auth`,
  token_endpoint: `${ISSUER}/token`,
  device_authorization_endpoint: `${ISSUER}/device`,
  revocation_endpoint: `${ISSUER}/revoke`,
};

function answer({ url, body = '', headers }: Sent): Response {
  const { pathname } = new URL(url);
  if (pathname === '/v1/auth/me')
    return isTaken
      ? Response.json(ME)
      : Response.json(
          { type: 'urn:umbra:problem:foreign-token', detail: `no: ${headers['authorization']}` },
          { status: 401 },
        );
  if (pathname === '/health/ready') return Response.json({ ready: true, version: '1', parts: {} });
  if (pathname === '/.well-known/openid-configuration') return Response.json(METADATA);
  if (pathname === '/device')
    return Response.json({
      ...{ device_code: 'dc', user_code: 'WDJB-MJHT', verification_uri: `${ISSUER}/go` },
      ...{ verification_uri_complete: `${ISSUER}/go?c=1`, expires_in: 60, interval: 0.001 },
    });
  if (pathname === '/token' && body.includes('device_code')) {
    const found = polls.shift() ?? TOKENS;
    return Response.json(found, { status: 'error' in found ? 400 : 200 });
  }
  if (body.includes('grant_type=refresh_token') && !isKnown)
    return Response.json({ error: 'invalid_grant' }, { status: 400 });
  const id = `e30.${btoa(JSON.stringify({ iss: ISSUER, aud: 'cli', nonce }))}.`;
  if (pathname === '/token') return Response.json({ ...TOKENS, id_token: id });
  return new Response('', { status: pathname === '/revoke' ? 200 : 404 });
}

const file = (): string => join(commands.home, '.config/umbra/config.json');
const tokens = (): string => join(commands.home, '.config/umbra/tokens/home.token');
const kept = () => JSON.parse(readFileSync(file(), 'utf8')) as { current: string; contexts: Record<string, object> };
const LOGIN = `login home --server http://umbra.test --issuer ${ISSUER} --client-id cli`;
const asked = (path: string): number => fetch.sent.filter(({ url }) => new URL(url).pathname === path).length;

describe('login by a key', () => {
  it('is checked, and kept in the context, which becomes the current one', async () => {
    const made = await commands.run('login home --server http://umbra.test --key-file -', { stdin: KEY, fetch });
    expect([made.exit, made.stdout]).toEqual([
      EXIT.done,
      'signed in as ada of the tenant acme; home is the current context\n',
    ]);
    expect(kept()).toEqual({ current: 'home', contexts: { home: { server: 'http://umbra.test', key: KEY } } });
    const asking = { fetch, answers: { secret: () => Promise.resolve(`${KEY}2`) } };
    expect((await commands.run('login --json', asking)).json).toEqual([
      { context: 'home', tenant: 'acme', principal: 'ada', expiresAt: null },
    ]);
    expect(kept().contexts['home']).toHaveProperty('key', `${KEY}2`);
    expect((await commands.run('logout', { fetch })).exit).toBe(EXIT.done);
    expect(kept()).toEqual({ current: 'home', contexts: { home: { server: 'http://umbra.test' } } });
  });

  it('keeps nothing that the service does not take', async () => {
    isTaken = false;
    const ended = await commands.run('login home --server http://umbra.test --key-file -', { stdin: KEY, fetch });
    expect([ended.exit, ended.stderr.includes(KEY), existsSync(file())]).toEqual([EXIT.notSignedIn, false, false]);
  });

  it.each([
    ['login', 'the context default is new: give --server URL'],
    ['login home --server http://a', 'there is no terminal to ask for the key on'],
    [`login home --server http://a --issuer ${ISSUER}`, '--issuer and --client-id go together'],
    ['login home --server http://a --device-code --key-file -', '--device-code and --port are for --issuer'],
    [`${LOGIN} --key-file -`, 'give --key-file or --issuer, not both'],
    ['login a/b --server http://a', 'the name of a context'],
    [`${LOGIN} --port 0`, 'Use a port'],
  ])('%s is wrong usage', async (line, message) => {
    const ended = await commands.run(line, { fetch });
    expect([ended.exit, ended.stderr]).toEqual([EXIT.usage, expect.stringContaining(message)]);
  });
});

describe('login at a provider', () => {
  it('by a device code keeps the tokens beside the contexts, renews by them, and signs out', async () => {
    polls = [{ error: 'authorization_pending' }, { error: 'authorization_pending' }];
    const { exit, stdout, stderr } = await commands.run(`${LOGIN} --device-code`, { fetch });
    expect([exit, stdout]).toEqual([EXIT.done, expect.stringContaining('signed in as ada')]);
    expect(stderr).toBe(`Open ${ISSUER}/go in a browser and type WDJB-MJHT\nor open ${ISSUER}/go?c=1\n`);
    expect(kept().contexts['home']).toEqual({
      server: 'http://umbra.test',
      login: { issuer: ISSUER, clientId: 'cli' },
    });
    expect(statSync(tokens()).mode & 0o777).toBe(0o600);
    const used = await commands.run('doctor', { fetch });
    expect(used.stdout).toContain('ada of the tenant acme');
    expect(fetch.sent.at(-1)!.headers['authorization']).toBe('Bearer opaque-access-token');
    expect((await commands.run('context list', { fetch })).stdout).toContain(`login at ${ISSUER}`);
    isTaken = false;
    expect((await commands.run('login home --key-file -', { fetch, stdin: KEY })).exit).toBe(EXIT.notSignedIn);
    expect(existsSync(tokens())).toBe(true);
    expect((await commands.run('logout home --json', { fetch })).json).toEqual([{ context: 'home', signedOut: true }]);
    expect([existsSync(tokens()), asked('/revoke')]).toEqual([false, 1]);
  });

  it.each([
    ['access_denied', 'access-denied'],
    ['expired_token', 'expired-token'],
  ])('ends with 3 after %s', async (error, code) => {
    polls = [{ error, error_description: 'no' }];
    const ended = await commands.run(`${LOGIN} --device-code --json`, { fetch });
    const last = ended.stderr.trim().split('\n').at(-1)!;
    expect([ended.exit, JSON.parse(last)]).toMatchObject([EXIT.notSignedIn, { error: { code } }]);
    expect([existsSync(file()), existsSync(tokens())]).toEqual([false, false]);
  });

  it('keeps no tokens that the service does not take, and does not show them', async () => {
    isTaken = false;
    const ended = await commands.run(`${LOGIN} --device-code`, { fetch });
    expect([ended.exit, existsSync(tokens()), ended.stderr.includes('opaque')]).toEqual([
      EXIT.notSignedIn,
      false,
      false,
    ]);
  });

  /** The tokens of the next login. @param sid of the session at the provider, if the access token says it */
  const nextTokens = (name: string, sid?: string): void => {
    const access_token = sid === undefined ? `access-of-${name}` : `e30.${btoa(JSON.stringify({ sid }))}.${name}`;
    polls.push({ ...TOKENS, access_token, refresh_token: `refresh-of-${name}` });
  };
  const revoked = (): (string | null)[] =>
    fetch.sent
      .filter(({ url }) => new URL(url).pathname === '/revoke')
      .map(({ body }) => new URLSearchParams(body).get('token'));
  const device = (more = '', given: Given = {}) => commands.run(`${LOGIN} --device-code${more}`, { fetch, ...given });

  it.each<[string, () => Promise<Ended>]>([
    ['refused', () => (polls.push({ error: 'access_denied' }), device())],
    ['not taken by the service', () => ((isTaken = false), device())],
    ['given up', () => (polls.push({ error: 'authorization_pending' }), device('', { signal: AbortSignal.abort() }))],
    ['for a provider that is not there', () => device(' --issuer https://none.test')],
  ])('leaves the former one as it is when it is %s', async (_, second) => {
    nextTokens('first');
    await device();
    const before = [kept(), readFileSync(tokens(), 'utf8')];
    expect((await second()).exit).not.toBe(EXIT.done);
    isTaken = true;
    expect([kept(), readFileSync(tokens(), 'utf8')]).toEqual(before);
    expect((await commands.run('doctor', { fetch })).exit).toBe(EXIT.done);
    expect(fetch.sent.at(-1)!.headers['authorization']).toBe('Bearer access-of-first');
    expect(revoked()).not.toContain('refresh-of-first');
  });

  it('leaves the former one also if the contexts cannot be changed', async () => {
    nextTokens('first');
    await device();
    const before = readFileSync(tokens(), 'utf8');
    nextTokens('second');
    const said = { isTerminal: false, write: async () => chmodSync(file(), 0o640) };
    expect((await device('', { stderr: said })).exit).toBe(EXIT.failed);
    expect([readFileSync(tokens(), 'utf8'), revoked()]).toEqual([before, ['refresh-of-second']]);
  });

  it('ends the former one at its provider when another credential replaces it', async () => {
    for (const name of ['first', 'second']) {
      nextTokens(name);
      expect((await device()).exit).toBe(EXIT.done);
    }
    expect([revoked(), JSON.parse(readFileSync(tokens(), 'utf8'))]).toMatchObject([
      ['refresh-of-first'],
      { refreshToken: TOKENS.refresh_token },
    ]);
    await commands.run('login home --key-file -', { fetch, stdin: KEY });
    nextTokens('third');
    await device();
    await commands.run('context set home --server http://other.test', { fetch });
    nextTokens('fourth');
    await device();
    await commands.run('context delete home --yes', { fetch });
    expect(revoked().slice(1)).toEqual([TOKENS.refresh_token, 'refresh-of-third', 'refresh-of-fourth']);
    expect(existsSync(tokens())).toBe(false);
  });

  it('says so if the provider ends the new one together with the former one', async () => {
    await device();
    isKnown = false;
    const second = await device();
    expect([second.exit, second.stderr]).toEqual([
      EXIT.notSignedIn,
      expect.stringContaining(`${ISSUER} has ended this login together with the former one`),
    ]);
    expect((await device()).exit).toBe(EXIT.done);
  });

  it('leaves a session at the provider that both logins are in', async () => {
    for (const name of ['first', 'second']) {
      nextTokens(name, 'browser-1');
      expect((await device()).exit).toBe(EXIT.done);
    }
    expect([revoked(), JSON.parse(readFileSync(tokens(), 'utf8'))]).toMatchObject([
      [],
      { refreshToken: 'refresh-of-second' },
    ]);
  });

  /** Signs in as the browser would. @param visit gets where it comes back to, and the query that belongs there */
  async function inBrowser(
    visit: (back: string, query: URLSearchParams) => Promise<void>,
    more: Given = {},
  ): Promise<Ended> {
    let visited: Promise<void> | undefined;
    const stderr = {
      isTerminal: false,
      write: async (text: string) => {
        const address = /https:\S+\/auth\?\S+/.exec(text)?.[0];
        if (address === undefined) return;
        const { searchParams } = new URL(address);
        nonce = searchParams.get('nonce');
        const query = new URLSearchParams({ state: searchParams.get('state')!, code: 'c1' });
        visited = visit(searchParams.get('redirect_uri')!, query);
      },
    };
    const ended = await commands.run(`${LOGIN} --port ${await freePort()}`, { fetch, stderr, ...more });
    await visited;
    return ended;
  }
  /** The status for a target that no client of HTTP would send. */
  const raw = (back: string, target: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(back).port), '127.0.0.1', () =>
        socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`),
      );
      socket.once('data', (answer) => (socket.destroy(), resolve(Number(answer.toString().slice(9, 12)))));
      socket.once('error', reject);
    });
  const visit = async (url: string): Promise<number> => (await globalThis.fetch(url)).status;

  it('by a browser on this machine takes the address of its own login alone', async () => {
    const statuses: number[] = [];
    const ended = await inBrowser(async (back, query) => {
      statuses.push(await raw(back, '//'));
      for (const url of [`${back}?state=other&code=x`, new URL('/', back).href, `${back}?${query.toString()}`])
        statuses.push(await visit(url));
    });
    expect([ended.exit, statuses]).toEqual([EXIT.done, [404, 400, 404, 200]]);
    expect(kept().contexts['home']).toHaveProperty('login');
    expect(asked('/token')).toBe(1);
  });

  it('ends when somebody says no, and at Ctrl-C', async () => {
    const refused = await inBrowser(async (back, query) => {
      await visit(`${back}?state=${query.get('state')}&error=access_denied`);
    });
    expect(refused.exit).toBe(EXIT.notSignedIn);
    const control = new AbortController();
    const interrupted = await inBrowser(async () => control.abort(), { signal: control.signal });
    expect([interrupted.exit, existsSync(file())]).toEqual([EXIT.interrupted, false]);
  });
});
