import fc from 'fast-check';

/**
 * Any code point but halves of pairs, as a unit of fc.string. The library's own units `binary` and `grapheme` make a
 * table of all code points, which takes seconds of each file of tests that uses them.
 */
export const anyCharacter: fc.Arbitrary<string> = fc
  .oneof(
    fc.integer({ min: 0, max: 0x7f }),
    fc.integer({ min: 0x80, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0x10ffff }),
  )
  .map((code) => String.fromCodePoint(code));
