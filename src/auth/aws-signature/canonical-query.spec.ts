import fc from 'fast-check';
import { canonicalQuery, queryParameters } from './canonical-query.js';
import { canonicalPath } from './canonical-path.js';
import { SignatureFault } from './signature-fault.js';

function canonicalOf(rawQuery: string): string | SignatureFault {
  const parameters = queryParameters(rawQuery);
  return parameters instanceof SignatureFault ? parameters : canonicalQuery(parameters);
}

describe('canonicalQuery', () => {
  it.each([
    ['', ''],
    ['a', 'a='],
    ['a=', 'a='],
    ['b=1&a=2', 'a=2&b=1'],
    ['a=2&a=1', 'a=1&a=2'],
    // By name, then value: a hyphen comes before an equals sign.
    ['a-b=1&a=2', 'a=2&a-b=1'],
    ['B=1&a=2', 'B=1&a=2'],
    ['a=b=c', 'a=b%3Dc'],
    ['a=x$y:z/', 'a=x%24y%3Az%2F'],
    ['%61=%7E%41', 'a=~A'],
    ['a=%C3%BC', 'a=%C3%BC'],
    ['a=%2B%20', 'a=%2B%20'],
    ["a=!'()*", 'a=%21%27%28%29%2A'],
    ['__proto__=1&constructor=2', '__proto__=1&constructor=2'],
  ])('of %s is %s', (raw, canonical) => {
    expect(canonicalOf(raw)).toBe(canonical);
  });

  it.each([
    '=a',
    '&',
    'a&',
    '&a',
    'a&&b',
    'a=%',
    'a=%4',
    'a=%zz',
    'a=%c3',
    'a=+',
    'a= ',
    'a=\u00fc',
    'a=\n',
    'a=\u007f',
  ])('refuses %j', (raw) => {
    expect(canonicalOf(raw)).toBeInstanceOf(SignatureFault);
  });

  it('is one for queries that mean the same, and another for others', () => {
    // Few characters, so that different texts often look alike.
    const unit = fc.constantFrom('a', '=', '&', '%', '+', ' ', '\u00fc', '3D');
    const pair = fc.tuple(fc.string({ unit, minLength: 1, maxLength: 2 }), fc.string({ unit, maxLength: 2 }));
    const encoded = (text: string): string => encodeURIComponent(text);
    const raw = (pairs: [string, string][]): string => pairs.map(([a, b]) => `${encoded(a)}=${encoded(b)}`).join('&');
    const meaning = (pairs: [string, string][]): string =>
      JSON.stringify(pairs.map((each) => JSON.stringify(each)).sort());
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 4 }), fc.array(pair, { maxLength: 4 }), (one, other) => {
        expect(canonicalOf(raw(one)) === canonicalOf(raw(other))).toBe(meaning(one) === meaning(other));
        expect(canonicalOf(raw(one.toReversed()))).toBe(canonicalOf(raw(one)));
      }),
    );
  });
});

describe('canonicalPath', () => {
  it.each([
    ['/', '/'],
    ['/mqtt', '/mqtt'],
    ['/a/', '/a/'],
    ['/things/a%3Ab/shadow', '/things/a%253Ab/shadow'],
    ['/things/a:b/shadow', '/things/a%3Ab/shadow'],
    ["/~a-b_c.d!'()*", '/~a-b_c.d%21%27%28%29%2A'],
    ['/...', '/...'],
    ['/.a/..b', '/.a/..b'],
  ])('of %s is %s', (raw, canonical) => {
    expect(canonicalPath(raw)).toBe(canonical);
  });

  it.each([
    '',
    'a',
    '*',
    '//',
    '/a//b',
    '/.',
    '/..',
    '/./a',
    '/a/..',
    '/a/../b',
    '/a b',
    '/\u00fc',
    '/a\n',
    '/a\u0000',
  ])('refuses %j', (raw) => {
    expect(canonicalPath(raw)).toBeInstanceOf(SignatureFault);
  });

  it('is another one for each path', () => {
    const path = fc
      .string({ unit: fc.constantFrom('%', '3', 'A', ':', '%3A', '25'), maxLength: 4 })
      .map((text) => `/${text}`);
    fc.assert(
      fc.property(path, path, (one, other) => {
        const [a, b] = [canonicalPath(one), canonicalPath(other)];
        expect(a === b).toBe(one === other);
      }),
    );
  });
});
