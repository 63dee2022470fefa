import fc from 'fast-check';
import { sectionText } from '../../test/harness/json-arbitraries.js';
import { emptyObject, equalJson, jsonBytes, own, parseJson } from './json.js';
import { ServiceError } from '../errors/service-error.js';

const parse = (text: string) => parseJson(Buffer.from(text), 8);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
  return 'none';
}

describe('parseJson', () => {
  it.each<[string, number[], string]>([
    ['a lone continuation byte', [0x22, 0x80, 0x22], 'notUtf8'],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22], 'notUtf8'],
    ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22], 'notUtf8'],
    ['a cut character', [0x22, 0xe2, 0x82], 'notUtf8'],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00], 'notUtf8'],
    ['nothing', [], 'invalidJson'],
    ['NUL', [0], 'invalidJson'],
    ['only a byte order mark', [0xef, 0xbb, 0xbf], 'invalidJson'],
    ['a byte order mark before JSON', [0xef, 0xbb, 0xbf, 0x7b, 0x7d], 'none'],
    ['two byte order marks', [0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, 0x7b, 0x7d], 'invalidJson'],
    ['a raw NUL in a string', [0x22, 0x00, 0x22], 'invalidJson'],
  ])('%s', (_what, payload, code) => {
    expect(codeOf(() => parseJson(Uint8Array.from(payload), 8))).toBe(code);
  });

  it('is not confused by the refusal before', () => {
    expect(codeOf(() => parseJson(Uint8Array.from([0x22, 0xe2, 0x82]), 8))).toBe('notUtf8');
    expect(parse('"€"')).toBe('€');
  });

  it.each(['{', 'hello', "{'a':1}", '{"a":1,}', 'NaN', '01', '{"a":1}x', '[1 2]', 'undefined'])(
    'refuses %s',
    (text) => {
      expect(codeOf(() => parse(text))).toBe('invalidJson');
    },
  );

  it.each([800, 100_000])('survives %d levels', (levels) => {
    expect(codeOf(() => parse('['.repeat(levels) + ']'.repeat(levels)))).toBe('none');
    expect(codeOf(() => parse('{"a":'.repeat(levels)))).toBe('invalidJson');
  });

  it('keeps hostile member names as own data', () => {
    const value = parse('{"__proto__":{"polluted":1},"constructor":2,"":3,"a":1,"a":2}') as Record<string, never>;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor', '', 'a']);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(own(value, '__proto__')).toEqual({ polluted: 1 });
    expect(own(value, 'a')).toBe(2);
    expect(own(value, 'polluted')).toBeUndefined();
    expect(own(value, 'toString')).toBeUndefined();
  });
});

it('emptyObject takes any name as data', () => {
  const object = emptyObject();
  object['__proto__'] = { polluted: 1 };
  object['constructor'] = 1;
  object['toString'] = 2;
  expect(Reflect.ownKeys(object)).toEqual(['__proto__', 'constructor', 'toString']);
  expect(JSON.stringify(object)).toBe('{"__proto__":{"polluted":1},"constructor":1,"toString":2}');
});

it('emptyObject inherits nothing, and nothing can be added to what it inherits from', () => {
  const object = emptyObject();
  expect(['__proto__', 'constructor', 'toString', 'hasOwnProperty'].filter((name) => name in object)).toEqual([]);
  const parent = Object.getPrototypeOf(object) as object;
  expect(Object.getPrototypeOf(parent)).toBeNull();
  expect(Reflect.ownKeys(parent)).toEqual([]);
  expect(Object.isFrozen(parent)).toBe(true);
});

it.each([
  ['"€"', 5],
  ['{ "a" : [ 1 , 2 ] }', 11],
  ['"\\u0041"', 3],
  ['"\\ud800"', 8],
  ['"😀"', 6],
])('jsonBytes of %s is %d', (text, size) => {
  expect(jsonBytes(parse(text))).toBe(size);
});

describe('equalJson', () => {
  it.each<[string, string, boolean]>([
    ['1', '1.0', true],
    ['1', '1e0', true],
    ['0', '-0', true],
    ['1', '"1"', false],
    ['0', 'false', false],
    ['0', '""', false],
    ['null', '0', false],
    ['null', '{}', false],
    ['[1]', '{"0":1}', false],
    ['{"0":1}', '[1]', false],
    ['[]', '{}', false],
    ['[1,2]', '[2,1]', false],
    ['[1,2]', '[1]', false],
    ['{"a":1,"b":2}', '{"b":2,"a":1}', true],
    ['{"a":1}', '{"a":1,"b":2}', false],
    ['{"a":1}', '{"b":1}', false],
    ['{"toString":1}', '{"a":1}', false],
    ['{"__proto__":1}', '{"__proto__":2}', false],
    ['{"__proto__":{}}', '{"a":{}}', false],
    ['[1,{"a":[true]}]', '[1,{"a":[true]}]', true],
  ])('%s and %s: %s', (a, b, same) => {
    expect(equalJson(parse(a), parse(b))).toBe(same);
    expect(equalJson(parse(b), parse(a))).toBe(same);
  });

  it('agrees with the parser about the same text', () => {
    fc.assert(fc.property(sectionText, (text) => equalJson(parse(text), parse(text))));
  });
});
