import type { FastifyRequest } from 'fastify';
import { callFingerprintOf, fingerprintOf, folderOf, placeOf, withoutIdempotencyKey } from './idempotency-key.js';

interface Parts {
  readonly key?: string | undefined;
  readonly principal?: { readonly id: string; readonly tenant: string };
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

function request({ key, principal, method, url, headers, body }: Parts): FastifyRequest {
  return {
    method: method ?? 'PATCH',
    url: url ?? '/v1/things/lamp/shadow',
    principal: principal ?? { id: 'ann', tenant: 'acme' },
    headers: { ...(key !== undefined && { 'idempotency-key': key }), ...headers },
    body: Buffer.from(body ?? '{"a":1}'),
  } as unknown as FastifyRequest;
}

describe('an Idempotency-Key', () => {
  it.each(['a', '"8e03978e-40d5"', '!~', 'x'.repeat(255)])('may be %s', (key) => {
    expect(placeOf(request({ key }))).toMatch(/^idempotency\/acme\/[A-Za-z0-9_-]{43}$/);
  });

  it.each(['', 'a b', 'a, b', 'ü', 'a\tb', 'x'.repeat(256), undefined])('may not be %j', (key) => {
    expect(() => placeOf(request({ key }))).toThrow('1 to 255 visible ASCII characters');
  });

  it('is of one principal of one tenant, and nobody can make another one of it', () => {
    const callers = [
      { id: 'ann', tenant: 'acme' },
      { id: 'bob', tenant: 'acme' },
      { id: 'ann', tenant: 'other' },
    ];
    const places = callers.map((principal) => placeOf(request({ key: 'k', principal })));
    expect(new Set(places).size).toBe(3);
    expect(places[2]!.startsWith(folderOf('other'))).toBe(true);
    const shifted = placeOf(request({ key: 'n"k', principal: { id: 'a', tenant: 'acme' } }));
    expect(shifted).not.toBe(placeOf(request({ key: 'k', principal: { id: 'an"', tenant: 'acme' } })));
  });

  it('is refused where no answer is kept', () => {
    expect(() => withoutIdempotencyKey(request({ key: 'k' }))).toThrow('takes no Idempotency-Key');
    expect(withoutIdempotencyKey(request({}))).toBeUndefined();
  });
});

describe('a fingerprint', () => {
  const others: readonly [string, Parts][] = [
    ['another method', { method: 'DELETE' }],
    ['another thing', { url: '/v1/things/lamp2/shadow' }],
    ['another shadow', { url: '/v1/things/lamp/shadow?name=x' }],
    ['a condition', { headers: { 'if-match': '"3"' } }],
    ['the other condition', { headers: { 'if-none-match': '"3"' } }],
    ['another type of the body', { headers: { 'content-type': 'application/json-patch+json' } }],
    ['another body', { body: '{"a":2}' }],
    ['no body', { body: '' }],
  ];

  it.each(others)('differs with %s', (_title, parts) => {
    expect(fingerprintOf(request(parts))).not.toBe(fingerprintOf(request({})));
  });

  it('is the same for the same request under another lease and from another client', () => {
    const again = request({ headers: { 'umbra-lease': 'x', 'user-agent': 'curl' } });
    expect(fingerprintOf(again)).toBe(fingerprintOf(request({})));
  });

  it('of a call over gRPC is that of its method and message, in whatever order the members come', () => {
    const path = '/umbra.v1.Shadows/Update';
    const own = callFingerprintOf({ path, request: { thing: 'lamp', patch: '{}', version: 0, shadow: undefined } });
    expect(callFingerprintOf({ path, request: { version: 0, patch: '{}', thing: 'lamp' } })).toBe(own);
    const others = [
      { path, request: { thing: 'lamp', patch: '{}' } },
      { path, request: { thing: 'lamp', patch: '{ }', version: 0 } },
      { path, request: { thing: 'lamp', patch: '{}', version: 0, shadow: '' } },
      { path: '/umbra.v1.Shadows/Delete', request: { thing: 'lamp', patch: '{}', version: 0 } },
    ];
    expect(new Set([own, ...others.map(callFingerprintOf)]).size).toBe(5);
  });
});
