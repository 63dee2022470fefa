import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { sectionText } from '../../../test/harness/json-arbitraries.js';
import { mergeSection } from '../../document/merge.js';
import type { JsonObject } from '../../document/shadow-document.js';
import { jsonOf, PatchMerge, type Json } from './merge.js';

/** undefined: no one patch says both. */
const mergedPatch = (first: Json, second: Json): Json | undefined => {
  const merge = new PatchMerge(first);
  return merge.add(second) ? merge.patch : undefined;
};

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
    expect(JSON.stringify(mergedPatch(JSON.parse(first) as Json, JSON.parse(second) as Json))).toBe(merged);
  });

  it('and more do what the service makes of them, and one that cannot be added changes nothing', () => {
    const property = fc.property(
      sectionText,
      fc.array(sectionText, { minLength: 2, maxLength: 5 }),
      (before, texts) => {
        const state = mergeSection({}, JSON.parse(before) as JsonObject);
        const plain = (value: JsonObject): unknown => JSON.parse(JSON.stringify(value));
        const [first, ...rest] = texts.map((text) => JSON.parse(text) as JsonObject);
        const merge = new PatchMerge(first as Json);
        let stepwise = mergeSection(state, first!);
        for (const patch of rest) {
          if (merge.add(patch as Json)) stepwise = mergeSection(stepwise, patch);
          if (!isDeepStrictEqual(plain(stepwise), plain(mergeSection(state, merge.patch as JsonObject)))) return false;
        }
        return true;
      },
    );
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
