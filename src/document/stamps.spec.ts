import fc from 'fast-check';
import { deepFreeze, sectionText } from '../../test/harness/json-arbitraries.js';
import { mergeSection } from './merge.js';
import type { Json, JsonObject, Metadata } from './shadow-document.js';
import {
  compactMetadata,
  expandStamps,
  mergeStamps,
  metadataText,
  readStamps,
  stampsText,
  type Stamps,
} from './stamps.js';

const parse = <T = JsonObject>(text: string): T => deepFreeze(JSON.parse(text) as T);

/** A section and its stamps after some updates, each of them a second later unless two fall into one. */
const merged = fc.array(fc.tuple(sectionText, fc.nat(1)), { minLength: 1, maxLength: 4 }).map((updates) => {
  let state: JsonObject = {};
  let stamps: Stamps | undefined;
  let seconds = 100;
  for (const [text, later] of updates) {
    const patch = parse(text);
    const after = mergeSection(state, patch);
    stamps = mergeStamps({ state, stamps }, after, patch, (seconds += later));
    state = after;
  }
  return { state, stamps: stamps ?? seconds };
});

describe('stamps', () => {
  it('are read as they were written, and stand for the same metadata', () => {
    fc.assert(
      fc.property(merged, ({ state, stamps }) => {
        const full = JSON.stringify(expandStamps(state, stamps));
        const read = readStamps(state, JSON.parse(stampsText(state, stamps)) as Json)!;
        expect(JSON.stringify(expandStamps(state, read))).toBe(full);
        expect(metadataText(state, stamps)).toBe(full);
        expect(stampsText(state, read)).toBe(stampsText(state, stamps));
        const compact = compactMetadata(state, JSON.parse(full) as Metadata)!;
        expect(JSON.stringify(expandStamps(state, compact))).toBe(full);
      }),
    );
  });

  it.each<[string, string, string]>([
    ['one number for all', '{"a":{"b":1,"c":[{"d":2}]}}', '7'],
    ['one number and who differs', '{"a":1,"b":2,"c":3}', '[7,{"b":9}]'],
    ['at each level', '{"a":{"x":1,"y":2,"z":3},"b":2,"c":3}', '[7,{"a":[7,{"y":9}]}]'],
    ['no number at this level', '{"a":{"x":1,"y":2,"z":3}}', '{"a":[7,{"y":9}]}'],
    ['an array as one value', '{"a":[1,{"x":2}],"b":1}', '[7,{"b":8}]'],
    ['hostile names', '{"__proto__":1,"constructor":2,"timestamp":3,"7":4}', '[7,{"__proto__":8,"timestamp":9}]'],
    ['a damaged record', '{"a":1,"b":2,"c":3}', '{"a":7,"c":7}'],
  ])('are written as %s', (_what, state, text) => {
    const value = parse(state);
    expect(stampsText(value, readStamps(value, parse<Json>(text))!)).toBe(text);
  });

  it.each(['null', '"x"', '[]', '[7]', '[7,8]', '[{},7]', '{"a":null,"b":"x"}', '{"a":[1]}', '[null,{}]'])(
    'are left out where a damaged record has %s',
    (text) => {
      const value = parse('{"a":{"b":[1]},"b":2}');
      const stamps = readStamps(value, parse<Json>(text));
      expect(JSON.stringify(expandStamps(value, stamps) ?? {})).toMatch(/^\{("a":\{("b":\[\{\}\])?\})?\}$/);
    },
  );
});
