import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CompactJWSHeaderParameters } from 'jose';
import { SettableClock } from '../../../test/harness/clock.js';
import { until } from '../../../test/harness/until.js';
import { Breaker } from '../../breakers/breaker.js';
import { SILENT_LOGGER } from '../../telemetry/logger.js';
import { MAX_ANSWER_BYTES } from './bounded-fetch.js';
import { IssuerKeys, type IssuerKeysOptions } from './issuer-keys.js';
import { MAX_KEYS } from './key-set.js';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const send =
  (value: unknown): Answer =>
  (response) =>
    void response.end(typeof value === 'string' ? value : JSON.stringify(value));

function jwk(changes: Record<string, unknown> = {}) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...publicKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', ...changes };
}
const header = (kid?: string) =>
  ({ alg: 'ES256', ...(kid === undefined ? {} : { kid }) }) as CompactJWSHeaderParameters;

describe('IssuerKeys', () => {
  let server: Server;
  let origin: string;
  let answer: Answer;
  let requests: string[];
  let sentBytes: number;
  let clock: SettableClock;
  let keeper: IssuerKeys;
  const keys = [jwk({ kid: 'a' }), jwk({ kid: 'b' })];

  const make = (changes: Partial<IssuerKeysOptions> = {}) =>
    (keeper = new IssuerKeys({
      ...{ issuer: origin, jwksUri: `${origin}/jwks`, clock, logger: SILENT_LOGGER },
      ...changes,
    }));
  const fails = async (times: number) => {
    for (let i = 0; i < times; i++) {
      clock.advance(5_000);
      await keeper.find(header(`unknown-${i}`));
    }
  };

  beforeEach(async () => {
    clock = new SettableClock();
    requests = [];
    sentBytes = 0;
    answer = send({ keys });
    server = createServer((request, response) => {
      requests.push(request.url ?? '');
      answer(response, request);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    make();
  });
  afterEach(async () => {
    keeper.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('finds keys by kid', async () => {
    await keeper.start();
    expect(await keeper.find(header('a'))).toMatchObject({ type: 'public' });
    expect(keeper.knows('b')).toBe(true);
    expect(keeper.health()).toEqual({ ok: true, reason: `2 keys of ${origin}` });
    expect(requests).toEqual(['/jwks']);
  });

  it('needs no kid where there is one key, and one where there are several', async () => {
    await keeper.start();
    expect([keeper.knows(undefined), await keeper.find(header())]).toEqual([false, null]);
    answer = send({ keys: keys.slice(0, 1) });
    clock.advance(5_000);
    expect(await keeper.find(header())).not.toBeNull();
  });

  it('fetches for unknown kids at most once in 5 s, whoever asks', async () => {
    await keeper.start();
    const ask = (round: number) =>
      Promise.all(Array.from({ length: 500 }, (_, i) => keeper.find(header(`${round}-${i}`))));
    clock.advance(4_999);
    expect((await ask(1)).every((key) => key === null)).toBe(true);
    expect(requests).toHaveLength(1);
    clock.advance(1);
    await ask(2);
    await ask(3);
    expect(requests).toHaveLength(2);
  });

  it('accepts a new key with the first token of it, and drops one that is no longer published', async () => {
    await keeper.start();
    answer = send({ keys: [keys[1], jwk({ kid: 'new' })] });
    clock.advance(5_000);
    expect(await keeper.find(header('new'))).not.toBeNull();
    expect([keeper.knows('a'), keeper.knows('b')]).toEqual([false, true]);
  });

  it('goes on with the last good set for 24 h while the issuer is dead, and says so', async () => {
    await keeper.start();
    answer = (response) => void response.destroy();
    await fails(3);
    expect(keeper.knows('a')).toBe(true);
    expect(await keeper.find(header('a'))).not.toBeNull();
    expect(keeper.health()).toMatchObject({
      ok: true,
      reason: expect.stringMatching(/ min old, used for another 1440 min: http/) as string,
    });
    clock.advance(24 * 3_600_000);
    expect([keeper.knows('a'), await keeper.find(header('a'))]).toEqual([false, null]);
    expect(keeper.health()).toMatchObject({ ok: false, reason: expect.stringContaining('no longer used') as string });
    answer = send({ keys });
    clock.advance(5_000);
    expect(await keeper.find(header('a'))).not.toBeNull();
    expect(keeper.health().ok).toBe(true);
  });

  it.each([
    ['its keys', '/keys'],
    ['its metadata', '/.well-known/openid-configuration'],
  ])('is left alone by its breaker when %s cannot be had, and known keys go on', async (_what, dead) => {
    const breaker = new Breaker({ dependency: 'issuer:x', clock, logger: SILENT_LOGGER, random: () => 0.5 });
    const metadata = { issuer: origin, jwks_uri: `${origin}/keys` };
    const serve: Answer = (response, { url }) =>
      void response.end(JSON.stringify(url === '/keys' ? { keys } : metadata));
    answer = serve;
    await make({ jwksUri: null, call: (_issuer, attempt) => breaker.run(attempt) }).start();
    answer = (response, request) => (request.url === dead ? void response.destroy() : serve(response, request));
    // One success and three failures are no 0.6 of five; the fourth is.
    await fails(4);
    expect(breaker.state.state).toBe('open');
    requests = [];
    await fails(5);
    expect(requests).toEqual([]);
    expect([keeper.knows('a'), await keeper.find(header('a'))]).toEqual([true, expect.anything()]);
    expect(keeper.health()).toMatchObject({
      ...{ ok: true, reason: expect.stringMatching(/: issuer:x is not asked for another \d+ s: http/) as string },
    });
    answer = serve;
    clock.advance(60_000);
    await keeper.find(header('unknown'));
    expect(requests).toEqual(['/.well-known/openid-configuration', '/keys']);
    expect([breaker.state.state, keeper.health().reason]).toEqual(['closed', `2 keys of ${origin}`]);
  });

  it('fetches again by itself after a failure', async () => {
    answer = (response) => void response.destroy();
    await keeper.start();
    expect(keeper.health()).toMatchObject({
      ok: false,
      reason: expect.stringContaining(`no keys of ${origin}: `) as string,
    });
    answer = send({ keys });
    await until('the keys are there', () => keeper.knows('a'));
  });

  it('fetches nothing after its end', async () => {
    await keeper.start();
    keeper.stop();
    await fails(2);
    expect(requests).toHaveLength(1);
    expect(keeper.knows('a')).toBe(true);
  });

  /** 200 MB as fast as they are taken; what was sent is counted. */
  const flood: Answer = (response) => {
    const chunk = Buffer.alloc(64 * 1024, ' ');
    response.on('error', () => undefined);
    const more = (): void => {
      while (sentBytes < 200_000_000 && !response.destroyed) {
        sentBytes += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
      response.end();
    };
    more();
  };
  const REFUSED: readonly (readonly [string, Answer, string])[] = [
    ['200 MB', flood, `longer than ${MAX_ANSWER_BYTES} bytes`],
    [
      '200 MB that are announced',
      (response, request) => {
        response.setHeader('content-length', 200_000_000);
        flood(response, request);
      },
      `longer than ${MAX_ANSWER_BYTES} bytes`,
    ],
    [
      'too many keys',
      send({ keys: Array.from({ length: MAX_KEYS + 1 }, () => ({ kty: 'EC' })) }),
      'has 101 keys; at most 100',
    ],
    ['no JSON', send('<html>'), 'JSON'],
    ['no key set', send({ keys: {} }), 'not a key set'],
    ['null', send('null'), 'not a key set'],
    [
      'symmetric and private keys only',
      send({ keys: [{ kty: 'oct', k: 'AA' }, jwk({ d: 'x' })] }),
      'no key that verifies',
    ],
    ['keys for encryption only', send({ keys: [jwk({ use: 'enc' })] }), 'no key that verifies'],
    [
      'bytes that are no UTF-8',
      (response) => void response.end(Buffer.of(0x7b, 0xff, 0x7d)),
      'encoded data was not valid',
    ],
    ['a failure', (response) => void response.writeHead(500).end(), 'status 500'],
    [
      'a redirect',
      (response, { url }) =>
        void (url === '/jwks'
          ? response.writeHead(302, { location: '/elsewhere' }).end()
          : send({ keys })(response, {} as IncomingMessage)),
      'redirect, which is not followed',
    ],
  ];
  it.each(REFUSED)('takes nothing from an answer of %s', async (_what, given, reason) => {
    answer = given;
    await keeper.start();
    expect(keeper.health().reason).toContain(reason);
    expect(keeper.knows('a')).toBe(false);
    expect(requests).toEqual(['/jwks']);
    // What the sockets of both ends hold beyond what was read.
    expect(sentBytes).toBeLessThan(20_000_000);
  });

  it('drops keys that it cannot use and keeps the others', async () => {
    answer = send({
      keys: [...keys, { kty: 'oct', kid: 'secret', k: 'AA' }, jwk({ kid: 'private', d: 'x' }), null, 7],
    });
    await keeper.start();
    expect(['a', 'b', 'secret', 'private'].map((kid) => keeper.knows(kid))).toEqual([true, true, false, false]);
  });

  it('finds the keys by the metadata of the issuer', async () => {
    const metadata = { issuer: origin, jwks_uri: `${origin}/keys` };
    answer = (response, { url }) => void response.end(JSON.stringify(url === '/keys' ? { keys } : metadata));
    await make({ jwksUri: null }).start();
    expect(keeper.knows('a')).toBe(true);
    expect(requests).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it.each([
    ['another issuer', () => ({ issuer: 'https://evil.test', jwks_uri: `${origin}/keys` }), 'of another issuer'],
    ['no keys', () => ({ issuer: origin }), 'names no jwks_uri'],
    ['keys without https', () => ({ issuer: origin, jwks_uri: 'http://192.0.2.1/keys' }), 'must begin with https://'],
    ['keys of a file', () => ({ issuer: origin, jwks_uri: 'file:///etc/passwd' }), 'must begin with https://'],
  ])('refuses metadata of %s', async (_what, metadata, reason) => {
    answer = (response) => void response.end(JSON.stringify(metadata()));
    await make({ jwksUri: null }).start();
    expect(keeper.health().reason).toContain(reason);
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['http://issuer.test/jwks', 'must begin with https://'],
    ['ftp://127.0.0.1/jwks', 'must begin with https://'],
    ['https://user:secret@issuer.test/jwks', 'must not hold a user or a password'],
    ['jwks', 'is not a URL'],
  ])('is not made for %s', (jwksUri, message) => {
    expect(() => make({ jwksUri })).toThrow(message);
    expect(() => make({ jwksUri })).not.toThrow('secret');
  });

  it('is made for https, and for http of this machine', () => {
    for (const jwksUri of ['https://issuer.test/jwks', 'http://localhost:1/jwks', 'http://[::1]:1/jwks'])
      make({ jwksUri });
  });
});
