import { ManualClock } from '../../testing/manual-clock.js';
import { memoryStore } from '../../testing/memory-store.js';
import { scriptedFetch, type ScriptedFetch, type Sent } from '../../testing/scripted-fetch.js';
import type { UmbraError } from '../../umbra-error.js';
import { oidc, type OidcOptions, type OidcSession } from './oidc-session.js';

const ISSUER = 'https://login.example.com/realms/acme';
const BACK = 'https://app.example.com/back';
const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/auth?tenant=1`,
  token_endpoint: `${ISSUER}/token`,
  device_authorization_endpoint: `${ISSUER}/device`,
  revocation_endpoint: `${ISSUER}/revoke`,
};
const TOKENS = { access_token: 'A1', refresh_token: 'R1', expires_in: 300, token_type: 'Bearer' };

let clock: ManualClock;
let metadata: object;
/** Answers of the endpoints, in their order; the last one stays. */
let answers: (object | Error)[];
let fetch: ScriptedFetch;

beforeEach(() => {
  clock = new ManualClock();
  metadata = METADATA;
  answers = [];
  fetch = scriptedFetch(({ url }: Sent) => {
    if (url.endsWith('/.well-known/openid-configuration')) return Response.json(metadata);
    if (url.endsWith('/v1/token-policy')) return new Response('', { status: 404 });
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    if (answer instanceof Error) throw answer;
    return Response.json(answer, { status: 'error' in answer ? 400 : 200 });
  });
});

const session = (options: Partial<OidcOptions> = {}): OidcSession =>
  oidc({ issuer: ISSUER, clientId: 'app', redirectUri: BACK, url: 'https://umbra.example', fetch, clock, ...options });
const idToken = (claims: object): string => `e30.${btoa(JSON.stringify(claims))}.`;
const posts = (): URLSearchParams[] =>
  fetch.sent.filter(({ method }) => method === 'POST').map(({ body }) => new URLSearchParams(body));
const query = (url: string): Record<string, string> => Object.fromEntries(new URL(url).searchParams);
/** How a login ends that the issuer answers like this. */
async function finished(auth: OidcSession, callback: object, claims: object = {}): Promise<string> {
  const { state = '', nonce } = query(await auth.begin());
  const good = { iss: ISSUER, aud: 'app', nonce };
  answers = [{ ...TOKENS, id_token: idToken({ ...good, ...claims }) }];
  const url = `${BACK}?${new URLSearchParams({ state, code: 'C1', ...callback }).toString()}`;
  return auth.finish(url).then(
    () => 'signed in',
    ({ code, message }: UmbraError) => `${code}: ${message}`,
  );
}

describe('a login by code', () => {
  it('shows a challenge, and then what it is made of', async () => {
    const auth = session({ resource: 'https://umbra.example', parameters: { prompt: 'consent' } });
    const asked = query(await auth.begin({ parameters: { login_hint: 'alice' } }));
    expect(asked).toMatchObject({
      ...{ tenant: '1', response_type: 'code', client_id: 'app', redirect_uri: BACK, prompt: 'consent' },
      ...{ scope: 'openid offline_access', resource: 'https://umbra.example', login_hint: 'alice' },
      code_challenge_method: 'S256',
    });
    answers = [{ ...TOKENS, id_token: idToken({ iss: ISSUER, aud: ['app'], nonce: asked['nonce'] }) }];
    await auth.finish(new URL(`${BACK}?code=C1&state=${asked['state']}`));
    const [form] = posts();
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(form!.get('code_verifier')!));
    expect(Buffer.from(digest).toString('base64url')).toBe(asked['code_challenge']);
    expect(Object.fromEntries(form!)).toMatchObject({
      ...{ grant_type: 'authorization_code', code: 'C1', redirect_uri: BACK, client_id: 'app' },
      resource: 'https://umbra.example',
    });
    expect(await auth.token(new AbortController().signal)).toBe('A1');
  });

  it.each([
    ['signed in', {}, {}],
    ['signed in', { iss: ISSUER }, { aud: ['app', 'x'], azp: 'app' }],
    ['access-denied: not today', { error: 'access_denied', error_description: 'not today', code: '' }, {}],
    ['invalid-argument: this login was not begun here, or has been finished', { state: 'other' }, {}],
    ['bad-answer: another issuer has answered than was asked', { iss: 'https://evil.example.com' }, {}],
    ['bad-answer: the ID token is for another login: its claim iss is wrong', {}, { iss: 'https://evil.example.com' }],
    ['bad-answer: the ID token is for another login: its claim aud is wrong', {}, { aud: 'other' }],
    ['bad-answer: the ID token is for another login: its claim aud is wrong', {}, { aud: ['app', 'other'] }],
    ['bad-answer: the ID token is for another login: its claim nonce is wrong', {}, { nonce: 'n' }],
  ])('ends as %s', async (end, callback, claims) => {
    expect(await finished(session(), callback, claims)).toBe(end);
  });

  it('asks for the issuer in the answer if that says so', async () => {
    metadata = { ...METADATA, authorization_response_iss_parameter_supported: true };
    expect(await finished(session(), {})).toMatch(/another issuer/);
  });

  it('is finished by a page that has only the store, once, and within an hour', async () => {
    const store = memoryStore();
    const state = query(await session({ store }).begin())['state']!;
    const scope = 'offline_access';
    answers = [TOKENS];
    await session({ store, scope }).finish(`${BACK}?code=C1&state=${state}`);
    await expect(session({ store, scope }).finish(`${BACK}?code=C1&state=${state}`)).rejects.toThrow('not begun here');
    const late = query(await session({ store }).begin())['state']!;
    clock.jump(3_600_000);
    await expect(session({ store, scope }).finish(`${BACK}?code=C1&state=${late}`)).rejects.toThrow('not begun here');
    expect(await store.get('umbra.session.begun')).toBeNull();
  });

  it('is renewed by the refresh token, replaced or not, and ended at the issuer', async () => {
    const auth = session({ scope: 'offline_access', clientSecret: 'secret' });
    await finished(auth, {});
    answers = [{ access_token: 'A2', expires_in: 300 }];
    await auth.refresh();
    answers = [{ ...TOKENS, access_token: 'A3', refresh_token: 'R2' }];
    await auth.refresh();
    answers = [{}];
    await auth.signOut();
    const shown = posts().map((form) => form.get('refresh_token') ?? form.get('token'));
    expect(shown).toEqual([null, 'R1', 'R1', 'R2']);
    expect(atob(fetch.sent.at(-1)!.headers['authorization']!.slice(6))).toBe('app:secret');
    await expect(auth.refresh()).rejects.toMatchObject({ code: 'signed-out' });
  });

  it.each([
    ['signed-out', { error: 'invalid_grant' }],
    ['unreachable', new Error('no net')],
  ])('that cannot be renewed is %s', async (code, answer) => {
    const auth = session({ scope: 'offline_access' });
    const ends: string[] = [];
    auth.on('signedOut', (error) => ends.push(error.code));
    await finished(auth, {});
    answers = [answer];
    const renewed = auth.refresh().catch((error: UmbraError) => error.code);
    await clock.advance(10_000);
    expect([await renewed, ends]).toEqual([code, code === 'signed-out' ? [code] : []]);
  });
});

describe('an issuer', () => {
  it.each(['http://login.example.com', 'login.example.com', 'ftp://login.example.com'])('is not %s', (issuer) => {
    expect(() => session({ issuer })).toThrow('issuer must be an https address');
  });

  it.each([
    ['another name', { ...METADATA, issuer: `${ISSUER}/` }, /is not the description of the issuer/],
    ['an endpoint without TLS', { ...METADATA, authorization_endpoint: 'http://a.example/' }, /without TLS/],
    ['no such endpoint', { issuer: ISSUER }, /no authorization endpoint/],
  ])('with %s is refused', async (_, found, message) => {
    metadata = found;
    await expect(session().begin()).rejects.toThrow(message);
  });
});

describe('a login on a device', () => {
  const CODE = {
    ...{ device_code: 'D1', user_code: 'WDJB-MJHT', verification_uri: 'https://login.example.com/device' },
    ...{ expires_in: 60, interval: 2 },
  };
  const pending = { error: 'authorization_pending' };
  const slow = { error: 'slow_down' };

  /** Seconds at which the tokens were asked for, and how it ended. */
  async function polled(...given: (object | Error)[]): Promise<[number[], string]> {
    const auth = session();
    answers = [CODE];
    const login = await auth.deviceCode();
    expect(login).toMatchObject({ userCode: 'WDJB-MJHT', verificationUriComplete: null, lifetimeMs: 60_000 });
    answers = given;
    const start = clock.monotonic();
    const times: number[] = [];
    let end: string | undefined;
    void login.finish().then(
      () => (end = 'signed in'),
      ({ code }: UmbraError) => (end = code),
    );
    let count = fetch.sent.length;
    for (let second = 0; second <= 70 && end === undefined; second++) {
      await clock.advance(1_000);
      const asked = fetch.sent.filter(({ url }) => url === METADATA.token_endpoint).length;
      if (fetch.sent.length > count && asked > times.length) times.push((clock.monotonic() - start) / 1_000);
      count = fetch.sent.length;
    }
    return [times, end!];
  }

  it.each([
    ['signed in', [2, 4, 6], [pending, pending, TOKENS]],
    ['signed in', [2, 9, 21], [slow, slow, TOKENS]],
    ['signed in', [2, 6, 14], [new Error('no net'), new Error('no net'), TOKENS]],
    ['access-denied', [2], [{ error: 'access_denied' }]],
    ['expired-token', [2, 4], [pending, { error: 'expired_token' }]],
    ['invalid-grant', [2], [{ error: 'invalid_grant' }]],
  ])('ends as %s, after questions at %j s', async (end, times, given) => {
    expect(await polled(...given)).toEqual([times, end]);
  });

  it('ends with its code, whoever does not answer', async () => {
    const [times, end] = await polled(pending);
    expect([times.length, end]).toEqual([29, 'expired-token']);
  });

  it('can be waited for again', async () => {
    const auth = session();
    answers = [CODE];
    const login = await auth.deviceCode();
    const control = new AbortController();
    const waited = login.finish(control.signal).catch((error: UmbraError) => error.code);
    control.abort();
    expect([await waited, clock.timers]).toEqual(['aborted', 0]);
    answers = [TOKENS];
    const again = login.finish();
    await clock.advance(2_000);
    await again;
    expect(posts().at(-1)!.get('device_code')).toBe('D1');
  });

  it.each([{ ...CODE, verification_uri: 'javascript:alert(1)' }, { ...CODE, expires_in: 0 }, {}])(
    'is refused with %j',
    async (answer) => {
      answers = [answer];
      await expect(session().deviceCode()).rejects.toMatchObject({ code: 'bad-answer' });
    },
  );
});
