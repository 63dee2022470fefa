import fc from 'fast-check';
import { mirror } from './metadata.js';
import type { Json, JsonObject } from './shadow-document.js';
import { mirrorText } from './stamps.js';

const name = fc.constantFrom('a', 'b', '7', '__proto__', 'timestamp', 'a"b', '\ud800', 'ü');
const scalar: fc.Arbitrary<Json> = fc.constantFrom(1, 'x', true, null);
const member = fc.oneof({ weight: 6, arbitrary: scalar }, fc.constantFrom<Json>({}, [], [1], { a: 1 }, { a: {} }));
/** As the parser makes them, so that a member called __proto__ is one. */
const object = fc
  .uniqueArray(fc.tuple(name, member), { selector: ([key]) => key, maxLength: 4 })
  .map((members) => `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join()}}`);

it('gives the metadata of the value, whatever came before it', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(object, fc.constantFrom(1, 2)), { minLength: 1, maxLength: 12 }), (values) => {
      // Three times, so that texts are kept, found, and found beside others.
      for (const [text, seconds] of [...values, ...values.flatMap((each) => [each, each])]) {
        const value = JSON.parse(text) as JsonObject;
        expect(mirrorText(value, seconds)).toBe(JSON.stringify(mirror(value, { timestamp: seconds })));
      }
    }),
  );
});
