import fc from 'fast-check';
import { bytes, updateText } from '../../test/harness/json-arbitraries.js';
import { applyUpdate } from './apply-update.js';
import { isObject, own } from './json.js';
import { DEFAULT_LIMITS } from './limits.js';
import { parseUpdate } from './parse-request.js';
import { removedMembers } from './removed-members.js';
import type { Json, ShadowDocument, StatePatch } from './shadow-document.js';

const limits = { ...DEFAULT_LIMITS, maxDocumentBytes: 1_000_000 };
const parse = (text: string): StatePatch => parseUpdate(bytes(text), limits).state;

describe('the members that a patch removes', () => {
  it.each<[string, string[]]>([
    ['{"desired":{"a":1}}', []],
    ['{"desired":{"a":null,"b":1}}', ['/desired/a']],
    ['{"desired":{"a":{"b":null}},"reported":{"c":null}}', ['/desired/a/b', '/reported/c']],
    ['{"desired":null}', ['/desired']],
    ['null', ['/desired', '/reported']],
    [
      '{"desired":{"a/b":null,"m~n":null,"":null,"~1":null}}',
      ['/desired/a~1b', '/desired/m~0n', '/desired/', '/desired/~01'],
    ],
    ['{"desired":{"__proto__":{"constructor":null}}}', ['/desired/__proto__/constructor']],
    ['{}', []],
  ])('of %s are %j', (state, removed) => {
    expect(removedMembers(parse(`{"state":${state}}`))).toEqual(removed);
  });

  it('are not told where their names would make a small patch a large event', () => {
    const members = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`m${n}`, null]));
    expect(removedMembers({ desired: { ['x'.repeat(100)]: members } })).toHaveLength(100);
    expect(removedMembers({ desired: { ['x'.repeat(4000)]: members } })).toBeNull();
  });

  it('are not there after it', () => {
    const at = (document: ShadowDocument, pointer: string): Json | undefined => {
      const [section, ...steps] = pointer
        .split('/')
        .slice(1)
        .map((each) => each.replaceAll('~1', '/').replaceAll('~0', '~'));
      let value: Json | undefined = document[section as 'desired'];
      for (const step of steps) value = isObject(value) ? own(value, step) : undefined;
      return value;
    };
    let removals = 0;
    fc.assert(
      fc.property(updateText, updateText, (first, second) => {
        const before = applyUpdate(null, { state: parse(first) }, { now: 0, limits });
        const patch = parse(second);
        const after = applyUpdate(before, { state: patch }, { now: 0, limits });
        for (const pointer of removedMembers(patch) ?? []) {
          removals++;
          expect(at(after, pointer)).toBeUndefined();
        }
      }),
      { numRuns: 300 },
    );
    expect(removals).toBeGreaterThan(20);
  });
});
