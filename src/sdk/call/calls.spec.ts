import { getEventListeners } from 'node:events';
import { jest } from '@jest/globals';
import type { Auth } from '../auth/auth.js';
import { bearer } from '../auth/bearer.js';
import { ManualClock } from '../testing/manual-clock.js';
import { scriptedFetch, type Sent } from '../testing/scripted-fetch.js';
import { Umbra, type UmbraOptions } from '../umbra.js';
import { UmbraError } from '../umbra-error.js';
import type { Link } from './call.js';
import type { Request } from './request.js';

const problem = (status: number, type: string, more: object = {}, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify({ type: `urn:umbra:problem:${type}`, detail: type, ...more }), {
    ...{ status, headers: { 'x-request-id': 'r-1', ...headers } },
  });
const ok = (): Response => new Response('{"version":1}');
const cut = (code?: string): never => {
  throw new TypeError('fetch failed', { cause: Object.assign(new Error('low'), code && { code }) });
};
const never = (): Promise<Response> => new Promise(() => undefined);

const READ: Request = { path: '/v1/things' };
const WRITE: Request = { path: '/v1/things/lamp/shadow/desired', method: 'PATCH', body: { on: true } };

/** A client whose requests get these answers, one after the other; the last one stays. */
function client(answers: ((sent: Sent) => Response | Promise<Response>)[], options: Partial<UmbraOptions> = {}) {
  const clock = new ManualClock();
  const fetch = scriptedFetch((sent, index) => answers[Math.min(index, answers.length - 1)]!(sent));
  const umbra = new Umbra({ url: 'https://umbra.example/', fetch, clock, random: () => 0, ...options });
  /** Runs time on until the call has ended. */
  const outcome = async (request: Request): Promise<{ status: number } | UmbraError> => {
    let ended: { status: number } | UmbraError | undefined;
    umbra.call(request).then(
      (answer) => (ended = answer),
      (error: UmbraError) => (ended = error),
    );
    // It sets its timers first.
    await clock.advance(0);
    for (let step = 0; ended === undefined && step < 100; step++) await clock.advance(clock.next ?? 0);
    return ended!;
  };
  return { umbra, fetch, clock, outcome };
}

it('sends what it was told to, with a key of its own for a write', async () => {
  const { fetch, outcome } = client([ok], { auth: bearer('umk_1'), newId: () => 'id-1' });
  await outcome({ ...WRITE, query: { name: 'net', path: ['/a', '/b'], none: undefined } });
  await outcome({ ...READ, headers: { 'x-own': '1' } });
  expect(fetch.sent.map(({ url, method, headers, body }) => ({ url, method, headers, body }))).toEqual([
    {
      url: 'https://umbra.example/v1/things/lamp/shadow/desired?name=net&path=%2Fa&path=%2Fb',
      method: 'PATCH',
      headers: {
        ...{ authorization: 'Bearer umk_1', 'content-type': 'application/json' },
        ...{ 'idempotency-key': 'id-1', 'idempotency-lifetime': '60' },
      },
      body: '{"on":true}',
    },
    {
      url: 'https://umbra.example/v1/things',
      method: 'GET',
      headers: { authorization: 'Bearer umk_1', 'x-own': '1' },
      body: undefined,
    },
  ]);
});

it.each([
  ['an option', { idempotencyKey: 'own' }, {}],
  ['a header', { headers: { 'idempotency-key': 'own' } }, {}],
  ['a header of a client without keys', { headers: { 'idempotency-key': 'own' } }, { idempotencyKeys: false }],
])('asks for no lifetime of a key that is given as %s, and sends it again', async (_, more, options) => {
  const { fetch, outcome } = client([() => cut('ECONNRESET'), ok], options);
  await outcome({ ...WRITE, ...more });
  const keys = fetch.sent.map(({ headers }) => [headers['idempotency-key'], headers['idempotency-lifetime']]);
  expect(keys).toEqual([
    ['own', undefined],
    ['own', undefined],
  ]);
});

describe('a failed call', () => {
  const unknown = () => problem(503, 'outcome-unknown', {}, { 'retry-after': '1' });
  const plain = { idempotencyKeys: false };
  type Row = [string, Request, Parameters<typeof client>[0], object, { requests: number; error: object | null }];
  const rows: Row[] = [
    ['is told as the service says', READ, [() => problem(404, 'not-found')], {}, told(1, 'not-found', 404)],
    [
      'has the code of the refusal',
      READ,
      [() => problem(403, 'not-allowed', { code: 'AUTH_202' })],
      {},
      { requests: 1, error: { code: 'not-allowed', authCode: 'AUTH_202', retryable: false } },
    ],
    [
      'has the code of OAuth',
      WRITE,
      [() => new Response('{"error":"invalid_grant","code":"AUTH_108"}', { status: 400 })],
      {},
      { requests: 1, error: { code: 'invalid-grant', authCode: 'AUTH_108', outcome: 'not-applied' } },
    ],
    ['is sent again after a cut', WRITE, [() => cut('ECONNRESET'), ok], {}, { requests: 2, error: null }],
    ['is sent again after a lost answer', WRITE, [unknown, ok], {}, { requests: 2, error: null }],
    ['is sent again after silence', READ, [never, ok], {}, { requests: 2, error: null }],
    [
      'is not sent again without a key',
      WRITE,
      [() => cut('ECONNRESET')],
      plain,
      told(1, 'unreachable', null, 'unknown'),
    ],
    [
      'is sent again without a key if nothing was sent',
      WRITE,
      [() => cut('ECONNREFUSED'), ok],
      plain,
      { requests: 2, error: null },
    ],
    [
      'is sent again without a key if nothing was done',
      WRITE,
      [() => problem(429, 'too-many-requests'), ok],
      plain,
      { requests: 2, error: null },
    ],
    ['ends with its attempts', READ, [() => cut()], {}, told(4, 'unreachable', null)],
    [
      'stays in doubt',
      WRITE,
      [unknown, () => problem(429, 'too-many-requests')],
      {},
      told(4, 'too-many-requests', 429, 'unknown'),
    ],
    [
      'stays in doubt when it may not ask',
      WRITE,
      [unknown, () => problem(403, 'not-allowed')],
      {},
      told(2, 'not-allowed', 403, 'unknown'),
    ],
    [
      'is out of doubt once judged',
      WRITE,
      [unknown, () => problem(412, 'precondition-failed')],
      {},
      told(2, 'precondition-failed', 412),
    ],
    [
      'is in doubt behind a proxy',
      WRITE,
      [() => new Response('<html>', { status: 502 })],
      plain,
      told(1, 'http-502', 502, 'unknown'),
    ],
    [
      'ends rather than wait beyond its time',
      READ,
      [() => problem(503, 'draining', {}, { 'retry-after': '60' })],
      {},
      told(1, 'draining', 503),
    ],
  ];
  function told(requests: number, code: string, status: number | null, outcome = 'not-applied') {
    return { requests, error: { name: 'UmbraError', code, status, outcome } };
  }
  it.each(rows)('%s', async (_, request, answers, options, { requests, error }) => {
    const { fetch, clock, outcome } = client(answers, options);
    const result = await outcome(request);
    if (error === null) expect(result).toMatchObject({ status: 200 });
    else expect(result).toMatchObject(error);
    expect(fetch.sent).toHaveLength(requests);
    expect(new Set(fetch.sent.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(clock.timers).toBe(0);
  });

  it('waits twice as long each time, or as long as it is asked to', async () => {
    const at: number[] = [];
    const answers = [() => cut(), () => cut(), () => problem(429, 'too-many-requests', {}, { 'retry-after': '3' }), ok];
    const { clock, outcome } = client(answers.map((answer) => () => (at.push(clock.monotonic()), answer())));
    await outcome(READ);
    expect(at).toEqual([0, 200, 600, 3_600]);
  });

  it('ends at its time, whatever the parts of the chain do', async () => {
    const { umbra, clock, outcome } = client([ok]);
    umbra.use(() => new Promise(() => undefined));
    expect(await outcome({ ...WRITE, timeoutMs: 700 })).toMatchObject({
      ...{ code: 'timeout', retryable: true, outcome: 'unknown' },
    });
    expect([clock.monotonic(), clock.timers]).toEqual([700, 0]);
  });

  it('ends when its caller says so, and when the client is closed', async () => {
    const { umbra, clock } = client([never]);
    const control = new AbortController();
    const first = umbra.call({ ...WRITE, signal: control.signal }).catch((error: UmbraError) => error);
    const second = umbra.call(WRITE).catch((error: UmbraError) => error);
    await clock.advance(0);
    control.abort();
    umbra.close();
    expect([await first, await second]).toMatchObject([
      { code: 'aborted', outcome: 'unknown' },
      { code: 'closed', outcome: 'unknown' },
    ]);
    // It was never begun.
    const late = umbra.call(WRITE).catch((error: UmbraError) => error);
    expect(await late).toMatchObject({ code: 'closed', outcome: 'not-applied' });
    await clock.advance(0);
    expect(clock.timers).toBe(0);
  });

  it.each([
    ['unknown', 'the patch', [() => problem(404, 'not-found'), never]],
    ['not-applied', 'the state', [never]],
  ] as const)('an update is %s while it waits for %s', async (outcome, _, answers) => {
    const { umbra, clock } = client([...answers]);
    const update = umbra
      .thing('lamp')
      .shadow()
      .update(() => ({ desired: { on: true } }), { timeoutMs: 700 });
    const ended = update.catch((error: UmbraError) => error);
    await clock.advance(700);
    expect(await ended).toMatchObject({ code: 'timeout', outcome });
    expect(clock.timers).toBe(0);
  });
});

it('lets many calls share a signal, and leaves none of them behind', async () => {
  const { signal } = new AbortController();
  const { umbra } = client([ok]);
  const calls = Array.from({ length: 20 }, () => umbra.call({ ...READ, signal }));
  expect(getEventListeners(signal, 'abort')).toHaveLength(20);
  await Promise.all(calls);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  // Node warns of a leak beyond this number; 0 is any number. Its own function does not know signals of Jest.
  const limit = Object.getOwnPropertySymbols(signal).find(({ description }) => description?.includes('maxEventTarget'));
  expect((signal as unknown as Record<symbol, unknown>)[limit!]).toBe(0);
});

it.each(['umk_secret\nx', 'umk_secret\u0000', 'umk_secret€'])(
  'does not send or show %j as a credential',
  async (key) => {
    const { fetch, outcome } = client([() => Promise.reject(new TypeError(`Headers.append: "${key}" is invalid`))], {
      auth: bearer(key),
    });
    const error = (await outcome(WRITE)) as UmbraError;
    expect(error).toMatchObject({ code: 'invalid-argument', outcome: 'not-applied', retryable: false });
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('secret');
    expect(fetch.sent).toEqual([]);
  },
);

describe('after a 401', () => {
  const refused = () => problem(401, 'credentials-expired', { code: 'AUTH_103' });

  function renewing(renew: () => Promise<boolean>): { auth: Auth; calls: jest.Mock } {
    let token = 1;
    const calls = jest.fn();
    const auth: Auth = {
      headers: () => Promise.resolve({ authorization: `Bearer ${token}` }),
      refused: async (used, { authCode }) => {
        calls(used, authCode);
        token++;
        return renew();
      },
    };
    return { auth, calls };
  }

  it('the request is sent once more with the new credential', async () => {
    const { auth, calls } = renewing(() => Promise.resolve(true));
    const { fetch, outcome } = client([refused, ok], { auth });
    expect(await outcome(WRITE)).toMatchObject({ status: 200 });
    expect(fetch.sent.map(({ headers }) => headers['authorization'])).toEqual(['Bearer 1', 'Bearer 2']);
    expect(new Set(fetch.sent.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(calls.mock.calls).toEqual([[{ authorization: 'Bearer 1' }, 'AUTH_103']]);
  });

  it.each([
    ['for ever', 2, () => Promise.resolve(true)],
    ['without a better credential', 1, () => Promise.resolve(false)],
    ['and a renewal that fails', 1, () => Promise.reject(new Error('no'))],
  ])('%s: %d requests', async (_, requests, renew) => {
    const { fetch, outcome } = client([refused], { auth: renewing(renew).auth });
    expect(await outcome(READ)).toMatchObject({ code: 'credentials-expired', status: 401 });
    expect(fetch.sent).toHaveLength(requests);
  });

  it('a body that is a stream is not sent again, nor after other failures', async () => {
    const { auth, calls } = renewing(() => Promise.resolve(true));
    const { fetch, outcome } = client([refused, () => problem(503, 'unavailable'), () => cut('ECONNREFUSED'), ok], {
      auth,
    });
    const codes: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      const ended = await outcome({ ...WRITE, body: new Blob(['{}']).stream() });
      codes.push((ended as UmbraError).code);
    }
    expect([codes, fetch.sent.length]).toEqual([['credentials-expired', 'unavailable', 'unreachable'], 3]);
    // The next call has the better credential.
    expect([calls.mock.calls.length, fetch.sent[1]!.headers['authorization']]).toEqual([1, 'Bearer 2']);
  });

  it('a key that does not change is not tried again', async () => {
    const { fetch, outcome } = client([refused], { auth: bearer('umk_1') });
    await outcome(READ);
    expect(fetch.sent).toHaveLength(1);
  });
});

describe('the chain', () => {
  const tag =
    (name: string, seen: string[]): Link =>
    async (call, next) => {
      seen.push(`${name} ${call.attempt} ${call.headers['authorization'] ?? '-'}`);
      return next(call);
    };

  it('has its links in their places', async () => {
    const seen: string[] = [];
    const { umbra, outcome } = client([() => cut(), ok], { auth: bearer('k') });
    umbra.use(tag('last', seen)).use(tag('very last', seen)).use(tag('around', seen), { before: 'retry', name: 'own' });
    umbra.use(tag('instead', seen), { replace: 'own' });
    await outcome(READ);
    expect(seen).toEqual(['instead 1 -', ...[1, 2].flatMap((n) => [`last ${n} Bearer k`, `very last ${n} Bearer k`])]);
  });

  it('refuses a place that does not exist', () => {
    const { umbra } = client([ok]);
    expect(() => umbra.use((call, next) => next(call), { replace: 'retries' })).toThrow(
      'there is no link "retries"; the links are log, retry, renewal',
    );
  });
});

it.each(['umbra.example', 'ftp://umbra.example', 'https://u:p@umbra.example', 'https://umbra.example?x=1'])(
  'the address %s is refused',
  (url) => expect(() => new Umbra({ url })).toThrow(UmbraError),
);

it('says nothing of secrets and data in its log', async () => {
  const lines: unknown[] = [];
  const line = (...all: unknown[]): void => void lines.push(all);
  const logger = { debug: line, info: line, warn: line, error: line };
  const { outcome } = client([() => problem(404, 'not-found'), ok], { auth: bearer('umk_secret'), logger });
  await outcome({ ...WRITE, query: { name: 'net' } });
  await outcome(WRITE);
  expect(lines).toEqual([
    [
      {
        call: 'PATCH',
        method: 'PATCH',
        path: WRITE.path,
        ms: 0,
        code: 'not-found',
        status: 404,
        outcome: 'not-applied',
        requestId: 'r-1',
      },
      'call failed',
    ],
    [{ call: 'PATCH', method: 'PATCH', path: WRITE.path, ms: 0, status: 200 }, 'call answered'],
  ]);
});
