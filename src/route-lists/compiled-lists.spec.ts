import { CompiledLists } from './compiled-lists.js';
import { parseRoutePattern } from './route-pattern.js';

const ALL = ['http', 'https', 'grpc', 'grpcs'] as const;

const lists = (list: { allow?: readonly string[]; deny?: readonly string[] }, name = 'http'): CompiledLists =>
  new CompiledLists({ listeners: new Map([[name, { allow: list.allow ?? null, deny: list.deny ?? [] }]]) });

describe('a pattern', () => {
  // Rows: pattern, method, path, whether it matches.
  it.each([
    ['GET /v1/things', 'GET', '/v1/things', true],
    ['GET /v1/things', 'HEAD', '/v1/things', true],
    ['GET /v1/things', 'get', '/v1/things', true],
    ['GET /v1/things', 'POST', '/v1/things', false],
    ['GET /v1/things', 'GET', '/v1/things?limit=1', true],
    ['GET /v1/things', 'GET', '/v1/things#x', true],
    ['GET /v1/things', 'GET', '/v1/thing', false],
    ['GET /v1/things', 'GET', '/v1/things/lamp', false],
    ['GET /v1/things', 'GET', '/V1/things', false],
    ['* /v1/things/*', 'DELETE', '/v1/things/lamp', true],
    ['* /v1/things/*', 'DELETE', '/v1/things', false],
    ['* /v1/things/*', 'DELETE', '/v1/things/lamp/shadow', false],
    ['* /v1/things/lamp-*', 'GET', '/v1/things/lamp-1', true],
    ['* /v1/things/lamp-*', 'GET', '/v1/things/lamp', false],
    ['* /v1/things/*-lamp', 'GET', '/v1/things/a-lamp', true],
    ['* /v1/things/aa*aa', 'GET', '/v1/things/aaa', false],
    ['* /v1/**', 'GET', '/v1', true],
    ['* /v1/**', 'GET', '/v1/a/b/c', true],
    ['* /v1/**', 'GET', '/v2/a', false],
    ['* /**', 'GET', '/', true],
    ['* /', 'GET', '/', true],
    ['* /', 'GET', '/v1', false],
    ['* /**/keys', 'GET', '/v1/principals/a/keys', true],
    ['* /**/keys', 'GET', '/keys', true],
    ['* /**/keys', 'GET', '/v1/keys/a', false],
    ['* /v1/**/keys/**', 'GET', '/v1/a/keys/keys/b', true],
  ] as const)('%s, asked for %s %s: %s', (pattern, method, path, isMatch) => {
    expect(lists({ deny: [pattern] }).admits('http', method, path)).toBe(!isMatch);
    expect(lists({ allow: [pattern] }).admits('http', method, path)).toBe(isMatch);
  });

  it.each([
    ['HEAD /v1/things', /write GET/],
    ['GET /v1//things', /empty segment/],
    ['GET /v1/things/', /empty segment/],
    ['GET /v1/./things', /empty segment/],
    ['GET /v1/../things', /empty segment/],
    ['GET /v1/%74hings', /decoded/],
    ['GET /v1/things?name=a', /without their query/],
    ['GET /v1/*a*', /two \*/],
    ['GET /v1/***', /two \*/],
    ['get /v1', /is not a method/],
    ['GET v1', /is not a method/],
  ] as const)('%s is refused', (pattern, reason) => {
    expect(() => parseRoutePattern(pattern)).toThrow(reason);
  });
});

/** Ways of writing `/v1/tenants/a`, or of hiding it. */
const SHAPES = [
  ...['/v1/tenants/a', '/v1/tenants/a/', '//v1/tenants/a', '/v1//tenants/a', '/v1/./tenants/a', '/./v1/tenants/a'],
  ...['/v1/%74enants/a', '/%76%31/tenants/a', '/v1%2Ftenants%2fa', '/v1/tenants%2Fa', '/v1/%2e/tenants/a'],
  ...['/v1/x/../tenants/a', '/v1/x/%2e%2E/tenants/a', '/../v1/tenants/a', '/v1\\tenants\\a', '/v1%5Ctenants%5Ca'],
  ...[
    '/v1/x/..%2Ftenants/a',
    '/v1/tenants/../../v1/tenants/a',
    '/v1/tenants/a?x=/v1/things',
    '/v1/tenants/a#/v1/things',
  ],
  ...['/v1/tenants/..', '/v1/tenants/../things', '/v1/tenants/a/../../things', '/v1/tenants//a/', '/v1/tenants/%00'],
];

describe.each(SHAPES)('%s', (target) => {
  it('is not got through a list', () => {
    expect(lists({ deny: ['* /v1/tenants/**'] }).admits('http', 'GET', target)).toBe(false);
    expect(lists({ allow: ['GET /v1/things/**', 'GET /health/**'] }).admits('http', 'GET', target)).toBe(false);
  });
});

describe('what names no path', () => {
  it.each(['*', '', 'v1/things', '/v1/%', '/v1/%zz', '/v1/%ff', 'http://host/v1/things'])('%s is closed', (target) => {
    expect(lists({ deny: ['GET /x'] }).admits('http', 'GET', target)).toBe(false);
  });
});

describe('lists', () => {
  it('deny what they allow as well', () => {
    const both = lists({ allow: ['* /v1/**'], deny: ['DELETE /**'] });
    expect(['GET', 'DELETE'].map((method) => both.admits('http', method, '/v1/things'))).toEqual([true, false]);
  });

  it('hold for their listener, and those of * for all', () => {
    const names = (name: string): boolean[] => {
      const some = lists({ deny: ['* /v1/**'] }, name);
      return ALL.map((listener) => some.admits(listener, 'GET', '/v1/things'));
    };
    expect(ALL.map((own) => names(own).map((isOpen, i) => isOpen || ALL[i] === own))).toEqual(ALL.map(() => [true, true, true, true])); // prettier-ignore
    expect(ALL.map((own) => names(own).filter((isOpen) => isOpen).length)).toEqual([3, 3, 3, 3]);
    expect(names('*')).toEqual([false, false, false, false]);
  });

  it('know calls of gRPC by their paths', () => {
    const some = lists({ allow: ['POST /umbra.v1.Shadows/*'], deny: ['* /umbra.v1.*/Delete'] }, 'grpc');
    const admitted = (path: string): boolean => some.admits('grpc', 'POST', path);
    expect(['Shadows/Get', 'Shadows/Delete', 'Things/List'].map((path) => admitted(`/umbra.v1.${path}`))).toEqual([
      ...[true, false, false],
    ]);
    expect(['grpc.health.v1.Health/Check', 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo'].map((path) => admitted(`/${path}`))).toEqual([true, false]); // prettier-ignore
    const closed = lists({ deny: ['* /grpc.health.v1.Health/*'] }, 'grpc');
    expect(closed.admits('grpc', 'POST', '/grpc.health.v1.Health/Watch')).toBe(false);
  });

  it('let probes of health through, unless a pattern names them', () => {
    const all = { allow: ['GET /x'], deny: ['* /**'] };
    expect(lists(all).admits('http', 'GET', '/health/live')).toBe(true);
    expect(lists(all).admits('http', 'HEAD', '/health/ready?x')).toBe(true);
    expect(lists(all).admits('http', 'POST', '/health/live')).toBe(false);
    expect(lists(all).admits('http', 'GET', '/health/metrics')).toBe(false);
    expect(lists({ deny: ['GET /health/**'] }).admits('http', 'GET', '/health/live')).toBe(false);
  });

  it('take no longer for patterns and paths that are meant to take long', () => {
    const deny = Array.from({ length: 500 }, (_, i) => `* /${'**/a/*/'.repeat(10)}${i}`);
    const slow = lists({ deny });
    // Processor time: on a busy machine a clock counts the work of others.
    const cost = (segments: number): number => {
      const path = '/a'.repeat(segments);
      const before = process.cpuUsage();
      slow.admits('http', 'GET', path);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    cost(4000);
    const [short, long] = [250, 4000].map((segments) => Math.min(...[1, 2, 3, 4, 5].map(() => cost(segments))));
    // Sixteen times as long; a square would be 256.
    expect(long! / short!).toBeLessThan(80);
  });
});
