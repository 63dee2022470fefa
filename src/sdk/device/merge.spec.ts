import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { sectionText } from '../../../test/harness/json-arbitraries.js';
import { mergeSection } from '../../document/merge.js';
import type { JsonObject } from '../../document/shadow-document.js';
import { jsonOf, mergedPatch } from './merge.js';

describe('two patches as one', () => {
  it.each<[string, string, string | undefined]>([
    ['{"a":1}', '{"b":2}', '{"a":1,"b":2}'],
    ['{"a":1}', '{"a":2}', '{"a":2}'],
    ['{"a":{"b":1}}', '{"a":{"c":2}}', '{"a":{"b":1,"c":2}}'],
    ['{"a":{"b":1}}', '{"a":null}', '{"a":null}'],
    ['{"a":null}', '{"a":{"b":1}}', undefined],
    ['{"a":{}}', '{"a":{"b":null}}', undefined],
    ['{"a":{"b":null}}', '{"a":{}}', undefined],
    ['{"a":{"b":{"c":1}}}', '{"a":{"b":{"c":null}}}', undefined],
    ['{"a":{"b":1,"c":1}}', '{"a":{"b":null}}', '{"a":{"b":null,"c":1}}'],
    ['{"a":1}', '{"a":{"b":1}}', undefined],
    ['{"a":[1]}', '{"a":[2]}', '{"a":[2]}'],
    ['null', '{"a":1}', undefined],
    ['{"a":1}', 'null', 'null'],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"b":1}}', '{"__proto__":{"a":1,"b":1}}'],
  ])('%s, then %s', (first, second, merged) => {
    expect(JSON.stringify(mergedPatch(JSON.parse(first), JSON.parse(second)))).toBe(merged);
  });

  it('do what the service makes of both', () => {
    const property = fc.property(sectionText, sectionText, sectionText, (before, first, second) => {
      const [state, one, two] = [before, first, second].map((text) => JSON.parse(text) as JsonObject);
      const merged = mergedPatch(one!, two!);
      if (merged === undefined) return true;
      const plain = (value: JsonObject): unknown => JSON.parse(JSON.stringify(value));
      const stepwise = mergeSection(mergeSection(mergeSection({}, state!), one!), two!);
      return isDeepStrictEqual(plain(stepwise), plain(mergeSection(mergeSection({}, state!), merged as JsonObject)));
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe('a copy', () => {
  it('has what JSON has', () => {
    const value = { a: undefined, b: [undefined, 1], at: new Date(0), f: () => 1, c: { d: null } };
    expect(jsonOf(value)).toEqual({ b: [null, 1], at: '1970-01-01T00:00:00.000Z', c: { d: null } });
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  it.each<[string, unknown]>([
    ['a number that would remove a member', { a: { b: NaN } }],
    ['a bigint', { a: 1n }],
    ['a circle', circle],
  ])('refuses %s', (_, value) => {
    expect(() => jsonOf(value)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });
});
