import fc from 'fast-check';
import { bytes, sectionText, updateText } from '../../test/harness/json-arbitraries.js';
import { applyUpdate } from './apply-update.js';
import { DEFAULT_LIMITS } from './limits.js';
import { parseUpdate } from './parse-request.js';
import { patchBetween, replacement } from './patch-between.js';
import type { JsonObject, ShadowDocument, StatePatch } from './shadow-document.js';

const context = { now: 1_700_000_000_000, limits: DEFAULT_LIMITS };
const after = (base: ShadowDocument | null, state: StatePatch): ShadowDocument => applyUpdate(base, { state }, context);
const from = (text: string): ShadowDocument => after(null, parseUpdate(bytes(text), DEFAULT_LIMITS).state);
/** Members in any order. */
const plain = ({ desired, reported }: ShadowDocument): unknown => [desired ?? null, reported ?? null];

describe('the patch between two documents', () => {
  it('makes the one into the other, and is empty between equals', () => {
    fc.assert(
      fc.property(updateText, updateText, (one, other) => {
        const [before, next] = [from(one), from(other)];
        expect(plain(after(before, patchBetween(before, next)))).toEqual(plain(next));
        expect([plain(after(null, patchBetween(null, next))), patchBetween(next, next)]).toEqual([plain(next), {}]);
      }),
    );
  });

  it('names only what differs', () => {
    const before = from('{"state":{"desired":{"a":1,"b":{"c":2,"d":3},"e":[1]},"reported":{"x":1}}}');
    const next = from('{"state":{"desired":{"a":1,"b":{"c":4},"e":[1],"f":{}}}}');
    expect(patchBetween(before, next)).toEqual({ desired: { b: { c: 4, d: null }, f: {} }, reported: null });
  });
});

describe('the replacement of a section', () => {
  it('leaves what an update of an empty section would make, whatever was there', () => {
    fc.assert(
      fc.property(updateText, sectionText, (text, section) => {
        const before = from(text);
        const next = JSON.parse(section) as JsonObject;
        const made = after(before, { desired: replacement(before.desired, next) });
        expect(plain(made)).toEqual([after(null, { desired: next }).desired ?? null, before.reported ?? null]);
      }),
    );
  });

  it('names all that is to be there, and what goes', () => {
    const before = { a: 1, b: { c: 2, d: 3 }, e: 5 };
    expect(replacement(before, { a: 1, b: { c: 2 } })).toEqual({ a: 1, b: { c: 2, d: null }, e: null });
    expect(replacement(before, {})).toBeNull();
  });
});
