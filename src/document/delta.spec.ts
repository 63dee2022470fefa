import { deepFreeze } from '../../test/harness/json-arbitraries.js';
import { computeDelta } from './delta.js';
import { mirrorMetadata } from './metadata.js';
import type { ShadowDocument, StatePatch } from './shadow-document.js';

function documentOf(desired: string | null, reported: string | null): ShadowDocument {
  const sections = [desired && `"desired":${desired}`, reported && `"reported":${reported}`].filter(Boolean);
  const state = JSON.parse(`{${sections.join(',')}}`) as StatePatch & object;
  return deepFreeze({ version: 1, ...state, metadata: mirrorMetadata(state, 1) } as ShadowDocument);
}

const AT = { timestamp: 1 };

describe('computeDelta', () => {
  it.each<[string, string | null, string | null, string | null]>([
    ['no desired', null, '{"a":1}', null],
    ['no reported', '{"a":1,"b":{}}', null, '{"a":1,"b":{}}'],
    ['neither', null, null, null],
    ['only reported has more', '{"a":1}', '{"a":1,"b":2}', null],
    ['one leaf of many', '{"l":{"c":{"r":1,"g":2}}}', '{"l":{"c":{"r":1,"g":0}}}', '{"l":{"c":{"g":2}}}'],
    ['a missing subtree whole', '{"a":{"b":{"c":1}}}', '{"x":1}', '{"a":{"b":{"c":1}}}'],
    ['numbers by value', '{"a":1,"b":100}', '{"a":1.0,"b":1e2}', null],
    ['number and string', '{"a":1}', '{"a":"1"}', '{"a":1}'],
    ['zero and false', '{"a":0}', '{"a":false}', '{"a":0}'],
    ['array and object', '{"a":[1]}', '{"a":{"0":1}}', '{"a":[1]}'],
    ['object and array', '{"a":{"0":1}}', '{"a":[1]}', '{"a":{"0":1}}'],
    ['object and scalar', '{"a":{"x":1}}', '{"a":7}', '{"a":{"x":1}}'],
    ['array order', '{"a":[1,2]}', '{"a":[2,1]}', '{"a":[1,2]}'],
    ['one element: the whole array', '{"a":[1,{"b":2}]}', '{"a":[1,{"b":3}]}', '{"a":[1,{"b":2}]}'],
    ['an object in an array with one member more', '{"a":[{"b":1}]}', '{"a":[{"b":1,"c":2}]}', '{"a":[{"b":1}]}'],
    ['member order', '{"a":{"x":1,"y":2}}', '{"a":{"y":2,"x":1}}', null],
    ['{} against an object', '{"o":{}}', '{"o":{"x":1}}', null],
    ['{} against nothing', '{"o":{}}', '{"p":1}', '{"o":{}}'],
    ['{} against a scalar', '{"o":{}}', '{"o":1}', '{"o":{}}'],
    ['[] against {}', '{"o":[]}', '{"o":{}}', '{"o":[]}'],
    [
      'an inherited name is not reported',
      '{"toString":1,"constructor":{"a":1}}',
      '{"a":1}',
      '{"toString":1,"constructor":{"a":1}}',
    ],
    ['__proto__ differs', '{"__proto__":{"a":1,"b":2}}', '{"__proto__":{"a":1}}', '{"__proto__":{"b":2}}'],
    ['__proto__ only desired', '{"__proto__":{}}', '{"a":1}', '{"__proto__":{}}'],
  ])('%s', (_what, desired, reported, state) => {
    const delta = computeDelta(documentOf(desired, reported));
    expect(delta && JSON.stringify(delta.state)).toBe(state);
  });

  it('takes the stamps of the same paths', () => {
    const document = documentOf('{"a":{"b":1,"c":2},"xs":[1,{"y":2}],"e":{},"same":1}', '{"a":{"b":1},"same":1}');
    expect(computeDelta(document)?.metadata).toEqual({ a: { c: AT }, xs: [AT, { y: AT }], e: {} });
  });

  it('leaves out stamps that a damaged record lacks', () => {
    const delta = computeDelta({ version: 1, desired: { a: { b: 1 }, c: 1 }, reported: { a: { b: 2 } }, metadata: {} });
    expect(delta).toEqual({ state: { a: { b: 1 }, c: 1 }, metadata: { a: {} } });
  });
});
