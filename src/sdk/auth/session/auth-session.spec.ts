import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  busy,
  cut,
  HOUR,
  never,
  oauthError,
  TokenService,
  URL,
  type Answer,
} from '../../../../test/harness/token-service.js';
import { Umbra } from '../../umbra.js';
import type { UmbraError } from '../../umbra-error.js';
import type { Call } from '../../call/call.js';
import { memoryStore } from '../../testing/memory-store.js';
import { bearer } from '../bearer.js';
import { clientSecret } from '../sources/client-secret.js';
import type { AuthSession } from './auth-session.js';
import { NEXT_STATES } from './session-state.js';

/** Random orders of failures; 10,000 pass too, and take 20 s. */
const RUNS = 500;

let service: TokenService;
beforeEach(() => {
  service = new TokenService();
});

describe('a token', () => {
  it('is got once for all who wait, and kept', async () => {
    const session = service.session();
    expect(await Promise.all(Array.from({ length: 20 }, () => service.token(session)))).toEqual(Array(20).fill('T1'));
    expect([await service.after(50 * 60_000, session), service.tokenRequests]).toEqual(['T1', 1]);
    const { url, headers, body } = service.fetch.sent[0]!;
    expect([url, atob(headers['authorization']!.slice(6)), body]).toEqual([
      `${URL}/v1/auth/token`,
      'dash:umk_secret',
      'grant_type=client_credentials',
    ]);
    expect(service.states).toEqual(['refreshing', 'idle']);
  });

  // Rows: seconds of its life, minutes after which it is renewed.
  it.each([
    [3_600, false, 55 * 60],
    [300, false, 240],
    [3_600, true, 1_800],
  ])('of %d s is renewed in the background (force_rotate %s)', async (ttl, forceRotate, at) => {
    service.ttl = ttl;
    service.policy = { gracePeriod: 0, forceRotate };
    const session = service.session();
    await service.token(session);
    const reasons: string[] = [];
    session.on('refresh', ({ reason }) => reasons.push(reason));
    await service.clock.advance(at * 1_000 - 1);
    expect(service.given).toBe(1);
    await service.clock.advance(1);
    expect([service.given, await service.token(session), reasons]).toEqual([
      2,
      'T2',
      [forceRotate ? 'force' : 'expiry'],
    ]);
  });

  it('is renewed after half of its life when rotation is forced from now on', async () => {
    const session = service.session();
    await service.token(session);
    const reasons: string[] = [];
    session.on('refresh', ({ reason }) => reasons.push(reason));
    service.policy = { gracePeriod: 0, forceRotate: true };
    await service.clock.advance(1_800_000 - 1);
    expect(service.given).toBe(1);
    await service.clock.advance(1);
    expect([service.given, reasons]).toEqual([2, ['force']]);
  });

  it('is renewed on use after a sleep, in which timers stood', async () => {
    const session = service.session();
    await service.token(session);
    service.clock.jump(8 * HOUR);
    expect(await service.token(session)).toBe('T2');
  });

  it.each([-2, 2])('lives as long as it should when the clock is wrong by %d h, and when it is set', async (hours) => {
    const serverNow = service.clock.now();
    service.clock.jump(hours * HOUR);
    const session = service.session();
    service.answers = [
      () =>
        new Response('{"access_token":"T","expires_in":3600}', {
          headers: { date: new Date(serverNow).toUTCString() },
        }),
    ];
    await service.token(session);
    expect(Math.abs(session.serverTime - serverNow)).toBeLessThan(1_000);
    expect([await service.after(54 * 60_000, session), service.tokenRequests]).toEqual(['T', 1]);
    service.clock.jump(-hours * HOUR);
    expect(['T', 'T1']).toContain(await service.token(session));
    expect(await service.after(2 * 60_000, session)).toBe('T1');
  });
});

describe('a failure', () => {
  it('is tried again after 1 and 2 s, then from time to time, and told', async () => {
    service.answers = [busy, cut, never, busy];
    const session = service.session();
    const first = (await service.token(session)) as UmbraError;
    expect(first).toMatchObject({ code: 'timeout', retryable: true, retryAfterMs: 4_000 });
    expect([service.clock.monotonic(), session.state]).toEqual([13_000, 'failed']);
    expect(session.retryAt).toBe(service.clock.now() + 4_000);
    // Nobody asks the service before that.
    expect([await service.token(session), service.tokenRequests]).toMatchObject([{ code: 'timeout' }, 3]);
    await service.clock.advance(4_000);
    expect([service.tokenRequests, session.retryAt]).toEqual([4, service.clock.now() + 8_000]);
    await service.clock.advance(8_000);
    expect([await service.token(session), session.retryAt]).toEqual(['T1', null]);
    expect(service.states).toEqual(['refreshing', 'failed', 'recovered', 'idle']);
  });

  it('waits as long as the service asks', async () => {
    service.answers = [oauthError(429, 'temporarily_unavailable', 'AUTH_901', { 'retry-after': '7' })];
    expect([await service.token(service.session()), service.clock.monotonic()]).toEqual(['T1', 7_000]);
  });

  it.each([
    ['AUTH_111', oauthError(401, 'invalid_client', 'AUTH_111')],
    ['AUTH_108', oauthError(400, 'invalid_grant', 'AUTH_108')],
    ['AUTH_105', oauthError(400, 'invalid_grant', 'AUTH_105')],
  ])('by %s ends the session', async (authCode, answer) => {
    const session = service.login();
    const ends: unknown[] = [];
    session.on('signedOut', ({ code }) => ends.push(code));
    await service.token(session);
    service.answers = [answer];
    expect(await service.after(HOUR, session)).toMatchObject({ code: 'signed-out', authCode, retryable: false });
    await service.clock.advance(24 * HOUR);
    expect([await service.token(session), ends]).toMatchObject([{ code: 'signed-out' }, ['signed-out']]);
    expect([service.tokenRequests, session.state, session.retryAt, service.clock.timers]).toEqual([
      2,
      'failed',
      null,
      0,
    ]);
    await session.signIn({ token: 'new', lifetimeMs: HOUR, refreshToken: 'R9' });
    expect([await service.token(session), service.states.slice(-3)]).toEqual(['new', ['failed', 'recovered', 'idle']]);
    await service.after(HOUR, session);
    expect(service.fetch.sent.at(-2)!.body).toBe('grant_type=refresh_token&refresh_token=R9');
  });

  it('just after all tokens were revoked passes', async () => {
    service.answers = [oauthError(400, 'invalid_grant', 'AUTH_105', { 'retry-after': '5' })];
    expect(await service.token(service.login())).toBe('T1');
  });

  it('is borne by the last token within its grace, and by the fallback', async () => {
    service.policy = { gracePeriod: 600, forceRotate: false };
    const session = service.session();
    await service.token(session);
    service.answers = Array<Answer>(200).fill(busy);
    expect([await service.after(HOUR + 1_000, session), session.degraded]).toEqual(['T1', true]);
    expect(await service.after(600_000, session)).toMatchObject({ code: 'temporarily-unavailable' });
    expect(session.degraded).toBe(false);

    const other = service.session({ fallback: bearer('umk_spare') });
    service.answers = Array<Answer>(200).fill(busy);
    expect(await service.token(other)).toBe('umk_spare');
    service.answers = [];
    expect(await service.after(60_000, other)).toBe('T2');
  });

  it('of a wait ends with its call', async () => {
    service.answers = [never];
    const control = new AbortController();
    const waiting = service.session().token(control.signal);
    control.abort();
    expect(await service.ended(waiting)).toMatchObject({ code: 'aborted' });
  });
});

describe('a refused token', () => {
  const umbra = (session: AuthSession) =>
    new Umbra({ url: URL, fetch: service.fetch, clock: service.clock, auth: session });
  const things = () => service.fetch.sent.filter(({ url }) => url.endsWith('/v1/things'));

  it('is renewed once for 200 calls, which all succeed', async () => {
    const session = service.session();
    const client = umbra(session);
    await service.token(session);
    service.accepted = (token) => token === 'T2';
    const calls = Array.from({ length: 200 }, () => client.call({ path: '/v1/things' }));
    await service.clock.advance(0);
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(200).fill(200));
    expect([service.tokenRequests, things().length]).toEqual([2, 400]);
  });

  it('for ever takes two requests, and the 401 is handed on', async () => {
    service.accepted = () => false;
    const session = service.session();
    const client = umbra(session);
    expect(await service.ended(client.call({ path: '/v1/things' }))).toMatchObject({ status: 401 });
    expect([things().length, service.tokenRequests]).toEqual([2, 2]);
    // The service is not asked for tokens by each call.
    for (let n = 0; n < 3; n++) await service.ended(client.call({ path: '/v1/things' }));
    expect([things().length, service.tokenRequests]).toEqual([5, 2]);
    service.accepted = null;
    await service.clock.advance(60_000);
    expect(await service.ended(client.call({ path: '/v1/things' }))).toMatchObject({ status: 200 });
  });

  it('is handed on when no better one can be got', async () => {
    const session = service.session();
    await service.token(session);
    service.accepted = () => false;
    service.answers = [busy, busy, busy];
    expect(await service.ended(umbra(session).call({ path: '/v1/things' }))).toMatchObject({ status: 401 });
    expect(things()).toHaveLength(1);
  });
});

describe('a sign-out', () => {
  it('wins over a renewal that is under way', async () => {
    const store = memoryStore();
    const session = service.login({ store });
    await service.token(session);
    let answer!: (response: Response) => void;
    service.answers = [() => new Promise((resolve) => (answer = resolve))];
    void session.refresh().catch(() => undefined);
    await service.clock.advance(0);
    const ended = session.signOut();
    answer(new Response('{"access_token":"late","expires_in":3600,"refresh_token":"late"}'));
    expect(await service.ended(ended)).toBeUndefined();
    expect([await service.token(session), [...store.texts], session.state]).toMatchObject([
      { code: 'signed-out' },
      [],
      'idle',
    ]);
    expect(service.fetch.sent.at(-1)).toMatchObject({
      url: `${URL}/v1/auth/revoke`,
      body: expect.stringContaining('R1'),
    });
  });

  it('wins over a renewal that is writing to a store without a lock', async () => {
    const { texts, get, set: put, delete: drop } = memoryStore();
    const set = (key: string, text: string): Promise<void> =>
      new Promise((resolve) => void service.clock.after(50, () => resolve(put(key, text))));
    const session = service.login({ store: { get, set, delete: drop } });
    await service.token(session);
    void session.refresh().catch(() => undefined);
    await service.clock.advance(20);
    await service.ended(session.signOut());
    await service.clock.advance(100);
    expect([[...texts], service.fetch.sent.at(-1)!.body]).toEqual([[], expect.stringContaining('R2')]);
  });

  it('wins over a look into the store and over a sign-in that were begun before', async () => {
    const store = memoryStore();
    let changed!: () => void;
    const get = (key: string): Promise<string | null> => {
      const text = store.get(key);
      return new Promise((resolve) => void service.clock.after(30, () => resolve(text)));
    };
    const watch = (_: string, listener: () => void) => ((changed = listener), (): void => undefined);
    const session = service.login({ store: { ...store, get, watch } });
    await service.token(session);
    const [[key, text]] = [...store.texts] as [[string, string]];
    await store.set(key, text.replace('T1', 'T9'));
    changed();
    await service.clock.advance(5);
    await service.ended(session.signOut());
    expect([await service.token(session), [...store.texts]]).toMatchObject([{ code: 'signed-out' }, []]);

    const entered = service.ended(session.signIn({ token: 'T10', lifetimeMs: HOUR, refreshToken: 'R10' }));
    const left = service.ended(session.signOut());
    const out = { code: 'signed-out' };
    expect([await entered, await left, await service.token(session)]).toMatchObject([out, undefined, out]);
  });

  it('is told after the tokens are gone and revoked', async () => {
    const store = memoryStore();
    const session = service.login({ store });
    await service.token(session);
    const left: unknown[] = [];
    session.on('signedOut', ({ cause }) => left.push(cause, store.texts.size, service.fetch.sent.at(-1)!.url));
    await service.ended(session.signOut());
    expect(left).toEqual([undefined, 0, `${URL}/v1/auth/revoke`]);
  });

  it('ends the sessions that share its store', async () => {
    const store = memoryStore();
    const [one, other] = [service.login({ store }), service.login({ store })];
    expect([await service.token(one), await service.token(other), service.tokenRequests]).toEqual(['T1', 'T1', 1]);
    await service.ended(one.signOut());
    expect(await service.after(HOUR, other)).toMatchObject({ code: 'signed-out' });
  });
});

it('shares one login by a store: each refresh token is used once', async () => {
  const store = memoryStore();
  const sessions = Array.from({ length: 3 }, () => service.login({ store }));
  for (let n = 0; n < 50; n++) {
    service.clock.jump(HOUR);
    await Promise.all(sessions.map((session) => service.token(session)));
  }
  const used = service.fetch.sent.filter(({ url }) => url.endsWith('/token')).map(({ body }) => body);
  expect([used.length, new Set(used).size, service.mostUnderWay]).toEqual([50, 50, 1]);
});

it('shows no token and no secret', async () => {
  const said: unknown[] = [];
  const line = (...all: unknown[]): void => void said.push(all);
  const logger = { debug: line, info: line, warn: line, error: line };
  const session = service.login({ logger, store: memoryStore() });
  session.on('refresh', line);
  session.on('state', line);
  session.on('signedOut', line);
  await service.token(session);
  service.answers = [busy, oauthError(400, 'invalid_grant', 'AUTH_108')];
  said.push(await service.after(HOUR, session), session);
  const text = said.map((each) => JSON.stringify(each) + inspect(each, { depth: 9, showHidden: true })).join();
  expect(text).not.toMatch(/umk_secret|[TR]\d\b|Basic /);
  expect(service.fetch.sent.map(({ url }) => url).join()).not.toMatch(/secret|[TR]\d\b/);
});

it('leaves no timer behind when its last client is closed', async () => {
  const session = service.session();
  const [one, other] = [1, 2].map(
    () => new Umbra({ url: URL, fetch: service.fetch, clock: service.clock, auth: session }),
  );
  await service.token(session);
  one!.close();
  // For the next token, and for the policy.
  expect(service.clock.timers).toBe(2);
  other!.close();
  expect(service.clock.timers).toBe(0);
});

it('hears of its store again when it is attached after it was closed', async () => {
  const store = memoryStore();
  let watchers = 0;
  const watch = () => (watchers++, (): void => void watchers--);
  const session = service.login({ store: { ...store, watch } });
  const client = () => new Umbra({ url: URL, fetch: service.fetch, clock: service.clock, auth: session });
  const seen: number[] = [];
  const first = client();
  await service.token(session);
  seen.push(watchers);
  first.close();
  seen.push(watchers);
  // Another tab signs out.
  store.texts.clear();
  client();
  await service.clock.advance(0);
  expect([...seen, watchers, await service.token(session)]).toMatchObject([1, 0, 1, { code: 'signed-out' }]);
});

it('takes no other way between its states, and one renewal at a time, in whatever order things fail', async () => {
  const failures: Answer[] = [never, cut, busy, oauthError(500, 'server_error'), oauthError(404, 'no_record')];
  const final = oauthError(400, 'invalid_grant', 'AUTH_108');
  type Step = { readonly name: 'ask' | 'refuse' | 'refresh' | 'out' | 'in' | 'sleep' | 'wait'; readonly ms: number };
  const step: fc.Arbitrary<Step> = fc.record({
    name: fc.constantFrom<Step['name']>('ask', 'ask', 'refuse', 'refresh', 'sleep', 'wait', 'out', 'in'),
    ms: fc.constantFrom(0, 500, 2_500, 9_000, 35_000),
  });
  const answer = fc.constantFrom<Answer | null>(null, null, ...failures, ...failures, final);
  const steps = fc.tuple(fc.array(answer, { maxLength: 8 }), fc.array(step, { minLength: 1, maxLength: 6 }));
  await fc.assert(
    fc.asyncProperty(steps, async ([answers, all]) => {
      const run = new TokenService();
      const session = run.login({ store: null });
      run.answers = answers.map((each) => each ?? (() => new Response('{"access_token":"ok","expires_in":3600}')));
      const signal = new AbortController().signal;
      for (const { name, ms } of all) {
        const done = {
          ask: () => session.headers({ signal } as Call),
          refuse: () => session.refused({ authorization: 'Bearer ok' }, null!, signal),
          refresh: () => session.refresh(),
          out: () => session.signOut(),
          in: () => session.signIn(),
          sleep: () => Promise.resolve(run.clock.jump(HOUR)),
          wait: () => Promise.resolve(),
        }[name]();
        done.catch(() => undefined);
        await run.clock.advance(ms);
      }
      const illegal = run.states.filter(
        (state, index) => !NEXT_STATES[run.states[index - 1] ?? 'idle'].includes(state),
      );
      if (illegal.length > 0) throw new Error(`${run.states.join()} has an illegal state`);
      if (run.mostUnderWay > 1) throw new Error(`${run.mostUnderWay} renewals at once`);
    }),
    { numRuns: RUNS },
  );
});

it('needs an address', async () => {
  const token = clientSecret('a', 'b').token(new AbortController().signal);
  await expect(token).rejects.toMatchObject({ code: 'invalid-argument' });
});
