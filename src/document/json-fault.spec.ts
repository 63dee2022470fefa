import fc from 'fast-check';
import { describeJsonFault } from './json-fault.js';

describe('describeJsonFault', () => {
  it.each([
    ['', 'line 1, column 1: expected a value, found the end'],
    ['{"state":{"reported":{"led":on}}}', 'line 1, column 29: expected a value, found "o"'],
    ['{"a":1,}', 'line 1, column 8: expected a member name in double quotes, found "}"'],
    ["{'a':1}", "line 1, column 2: expected a member name in double quotes or '}', found \"'\""],
    ['{\n  "a" 1\n}', `line 2, column 7: expected ':', found "1"`],
    ['{\r\n "a":1\r\n "b":2}', `line 3, column 2: expected ',' or '}', found "\\""`],
    ['[1 2]', `line 1, column 4: expected ',' or ']', found "2"`],
    ['[,]', `line 1, column 2: expected a value or ']', found ","`],
    ['{"a":[1,2', `line 1, column 10: expected ',' or ']', found the end`],
    ['{"a":1}}', 'line 1, column 8: expected the end, found "}"'],
    ['01', 'line 1, column 2: expected the end, found "1"'],
    ['"a\tb"', 'line 1, column 3: expected an escape in place of a control character, found U+0009'],
    ['"a\\x"', 'line 1, column 3: expected an escape such as \\n or \\u00e9, found "\\\\"'],
    ['"abc', "line 1, column 5: expected '\"' at the end of the string, found the end"],
    ['☃', 'line 1, column 1: expected a value, found U+2603'],
  ])('%j: %s', (text, expected) => {
    expect(describeJsonFault(text)).toBe(expected);
  });

  it('finds nothing in JSON', () => {
    for (const text of ['0', ' null ', '-1.5e+3', '[]', '{}', '{"a":[{},[true,"\\u00e9\\n"]]}']) {
      expect(describeJsonFault(text)).toBe('');
    }
  });

  it('neither recurses nor echoes', () => {
    expect(describeJsonFault('['.repeat(100_000))).toMatch(/column 100001: expected a value or '\]', found the end$/);
    expect(describeJsonFault(`{"${'x'.repeat(100_000)}" }`).length).toBeLessThan(100);
  });

  it('property: it agrees with the parser on whatever was cut and glued', () => {
    const pieces = fc.array(fc.oneof(fc.json(), fc.constantFrom(...'{}[]:,"\\ \n0-1.e')), { maxLength: 6 });
    fc.assert(
      fc.property(pieces, fc.nat(20), (parts, cut) => {
        const text = parts.join('').slice(cut);
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(describeJsonFault(text) === '').toBe(valid);
      }),
    );
  });
});
