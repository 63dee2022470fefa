import fc from 'fast-check';
import { deepFreeze, sectionText } from '../../test/harness/json-arbitraries.js';
import { isObject, own } from './json.js';
import { mergeSection } from './merge.js';
import type { Json, JsonObject } from './shadow-document.js';

const parse = (text: string): JsonObject => deepFreeze(JSON.parse(text) as JsonObject);

describe('mergeSection', () => {
  it.each<[string, string, string, string]>([
    ['null removes', '{"a":1,"b":2}', '{"a":null}', '{"b":2}'],
    ['null for nothing', '{"a":1}', '{"b":null}', '{"a":1}'],
    ['null removes a subtree', '{"a":{"b":1}}', '{"a":null}', '{}'],
    ['objects merge', '{"a":{"b":1,"c":2}}', '{"a":{"c":3,"d":4}}', '{"a":{"b":1,"c":3,"d":4}}'],
    ['{} leaves an object alone', '{"a":{"b":1}}', '{"a":{}}', '{"a":{"b":1}}'],
    ['{} is stored when new', '{}', '{"a":{}}', '{"a":{}}'],
    ['{} replaces a scalar', '{"a":1}', '{"a":{}}', '{"a":{}}'],
    ['{} replaces an array', '{"a":[1]}', '{"a":{}}', '{"a":{}}'],
    ['an object replaces a scalar, nulls dropped', '{"a":1}', '{"a":{"b":null,"c":2}}', '{"a":{"c":2}}'],
    ['an object replaces an array', '{"a":[1]}', '{"a":{"0":2}}', '{"a":{"0":2}}'],
    ['only nulls create nothing', '{}', '{"a":{"b":null}}', '{}'],
    ['only nulls, deep, create nothing', '{}', '{"a":{"b":{"c":null},"d":null}}', '{}'],
    ['nulls beside a value', '{}', '{"a":{"b":{"c":null},"d":1}}', '{"a":{"d":1}}'],
    ['nulls beside {}', '{}', '{"a":{"b":null,"c":{}}}', '{"a":{"c":{}}}'],
    ['only nulls replace a scalar by {}', '{"a":1}', '{"a":{"b":null}}', '{"a":{}}'],
    ['only nulls replace an array by {}', '{"a":[1]}', '{"a":{"b":{"c":null}}}', '{"a":{}}'],
    ['a nested object that empties stays', '{"a":{"b":1}}', '{"a":{"b":null}}', '{"a":{}}'],
    ['arrays are replaced whole', '{"a":[{"x":1},2,3]}', '{"a":[{"y":1}]}', '{"a":[{"y":1}]}'],
    ['an empty array is a value', '{"a":[1]}', '{"a":[]}', '{"a":[]}'],
    ['an array replaces an object', '{"a":{"0":1}}', '{"a":[1]}', '{"a":[1]}'],
    ['a scalar replaces an object', '{"a":{"b":1}}', '{"a":0}', '{"a":0}'],
    ['false, 0 and "" are values', '{"a":1,"b":1,"c":1}', '{"a":false,"b":0,"c":""}', '{"a":false,"b":0,"c":""}'],
    ['names are opaque', '{"a":{"b":1}}', '{"a.b":2,"$set":{"a":3},"":4}', '{"a":{"b":1},"a.b":2,"$set":{"a":3},"":4}'],
    ['__proto__ is data', '{"__proto__":{"a":1}}', '{"__proto__":{"b":2}}', '{"__proto__":{"a":1,"b":2}}'],
    ['__proto__ can go', '{"__proto__":{"a":1},"x":1}', '{"__proto__":null}', '{"x":1}'],
    ['constructor is data', '{}', '{"constructor":{"prototype":{"a":1}}}', '{"constructor":{"prototype":{"a":1}}}'],
    ['an inherited name is absent', '{}', '{"toString":{"a":null}}', '{}'],
  ])('%s', (_what, current, patch, merged) => {
    expect(JSON.stringify(mergeSection(parse(current), parse(patch)))).toBe(merged);
  });

  it('starts from nothing', () => {
    expect(mergeSection(undefined, parse('{"a":1}'))).toEqual({ a: 1 });
  });

  it('shares what the patch does not touch', () => {
    const current = parse('{"a":{"b":{"c":1}},"d":{"e":1}}');
    const merged = mergeSection(current, parse('{"d":{"e":2},"a":{"b":{}}}'));
    expect(own(merged, 'd')).toEqual({ e: 2 });
    expect(own(own(merged, 'a') as JsonObject, 'b')).toBe(own(own(current, 'a') as JsonObject, 'b'));
    expect(mergeSection(current, parse('{}'))).toBe(current);
  });

  it('is idempotent', () => {
    fc.assert(
      fc.property(sectionText, sectionText, (current, patch) => {
        const once = deepFreeze(mergeSection(mergeSection(undefined, parse(current)), parse(patch)));
        expect(JSON.stringify(mergeSection(once, parse(patch)))).toBe(JSON.stringify(once));
      }),
    );
  });

  it('holds the table of PROTOCOL 2.2 for each member, by a second reading of it', () => {
    fc.assert(
      fc.property(sectionText, sectionText, (currentText, patchText) => {
        const current = deepFreeze(mergeSection(undefined, parse(currentText)));
        const patch = parse(patchText);
        holdsTable(current, patch, mergeSection(current, patch));
      }),
    );
  });

  it('is no deeper than the patch or what was there', () => {
    fc.assert(
      fc.property(sectionText, sectionText, (current, patch) => {
        const merged = mergeSection(parse(current), parse(patch));
        expect(depth(merged)).toBeLessThanOrEqual(Math.max(depth(parse(current)), depth(parse(patch))));
      }),
    );
  });
});

function holdsTable(current: JsonObject, patch: JsonObject, merged: JsonObject): void {
  for (const member of new Set([...Object.keys(current), ...Object.keys(patch), ...Object.keys(merged)])) {
    const [was, change, is] = [own(current, member), own(patch, member), own(merged, member)];
    if (change === undefined) expect(is).toBe(was);
    else if (change === null) expect(is).toBeUndefined();
    else if (!isObject(change)) expect(JSON.stringify(is)).toBe(JSON.stringify(change));
    else if (isObject(was)) holdsTable(was, change, is as JsonObject);
    else if (was === undefined && onlyNulls(change)) expect(is).toBeUndefined();
    else holdsTable({}, change, is as JsonObject);
  }
}

function onlyNulls(object: JsonObject): boolean {
  const values = Object.values(object);
  return values.length > 0 && values.every((value) => value === null || (isObject(value) && onlyNulls(value)));
}

function depth(value: Json): number {
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce<number>((deepest, child) => Math.max(deepest, 1 + depth(child)), 0);
}
