import fc from 'fast-check';
import type { PolicyContext } from './context-keys.js';
import { findText } from './find-text.js';
import { parsePattern } from './pattern.js';

const NONE: PolicyContext = { caller: {} };
const matches = (pattern: string, text: string, context = NONE): boolean =>
  parsePattern('', pattern).matches(text, context, 'nothing');

/** The model: an expression of the language, which backtracks. */
function modelOf(pattern: string): RegExp {
  const source = pattern.replace(/[^]/g, (unit) =>
    unit === '*' ? '[^]*' : unit === '?' ? '[^]' : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new RegExp(`^${source}$`);
}

describe('a pattern', () => {
  it.each([
    ['topic/a', 'topic/a', true],
    ['topic/a', 'topic/ab', false],
    ['topic/a', 'topic/', false],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a*', 'a', true],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a?', 'a', false],
    ['?', '/', true],
    ['*?*', '', false],
    ['*b?d*', 'abbcbxde', true],
    ['a/+/#', 'a/+/#', true],
    ['a/+/#', 'a/b/c', false],
    ['a/*/c', 'a/b/b/c', true],
    ['A', 'a', false],
    ['${*}${?}${$}', '*?$', true],
    ['${*}', 'x', false],
    ['a\n*', 'a\nb\r\u2028c', true],
    ['[a].(b)$', '[a].(b)$', true],
  ])('%j against %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('takes the value of a variable literally', () => {
    const of = (id: string): PolicyContext => ({ caller: { 'iot:ClientId': id } });
    expect(matches('${iot:ClientId}/x', '*/x', of('*'))).toBe(true);
    expect(matches('${iot:ClientId}/x', 'a/x', of('*'))).toBe(false);
    expect(matches('${iot:ClientId}', 'a', of('?'))).toBe(false);
    expect(matches('${iot:ClientId}', 'lamp', of('${iot:CertificateId}'))).toBe(false);
    expect(matches('*/${iot:ClientId}/*', 'a/lamp/b', of('lamp'))).toBe(true);
    expect(matches('*/${iot:ClientId}/*', 'a/pump/b', of('lamp'))).toBe(false);
  });

  it.each([
    ['t/${iot:ClientId}', 't/lamp', true],
    ['t/${iot:ClientId}', 't/lamps', false],
    ['t/${iot:ClientId}', 't/lam', false],
    ['t/${iot:ClientId}/s', 't/lamp/s', true],
    ['t/${iot:ClientId}/s', 't/lamp/t', false],
    ['t/${iot:ClientId}*', 't/lamp', true],
    ['t/${iot:ClientId}:*', 't/lamp:1', true],
    ['t/${iot:ClientId}:*', 't/lamp', false],
    ['t/${iot:ClientId}/*', 't/pump/s', false],
  ])('%s against %s, for the client lamp: %s', (pattern, text, expected) => {
    expect(matches(pattern, text, { caller: { 'iot:ClientId': 'lamp' } })).toBe(expected);
  });

  it('stands for nothing or anything when a variable has no value', () => {
    const pattern = parsePattern('', 'a/${iot:ClientId}/?');
    const all = ['a/x/y', 'a/x/y/z', 'b/x/y'].flatMap((text) => [
      pattern.matches(text, NONE, 'nothing'),
      pattern.matches(text, NONE, 'anything'),
    ]);
    expect(all).toEqual([false, true, false, true, false, false]);
  });

  it.each([
    ['a value of 1,025 characters', { 'iot:ClientId': 'x'.repeat(1025) }, false],
    ['a value of 1,024 characters', { 'iot:ClientId': 'x'.repeat(1024) }, true],
  ])('is compared with %s: %s', (_title, caller, expected) => {
    expect(matches('${iot:ClientId}', caller['iot:ClientId'], { caller })).toBe(expected);
  });

  const hostile = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), maxLength: 12 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 16 });

  it('matches as a regular expression does', () => {
    fc.assert(
      fc.property(hostile, text, (pattern, value) => {
        expect(matches(pattern, value)).toBe(modelOf(pattern).test(value));
      }),
      { numRuns: 3000 },
    );
  });

  it('matches what it was made from', () => {
    const parts = fc.array(fc.tuple(fc.constantFrom('*', '?', 'a', '/b'), text), { maxLength: 8 });
    fc.assert(
      fc.property(parts, (made) => {
        const pattern = made.map(([part]) => part).join('');
        const value = made.map(([part, any]) => (part === '*' ? any : part === '?' ? 'x' : part)).join('');
        expect(matches(pattern, value)).toBe(true);
      }),
    );
  });
});

describe('a search', () => {
  /** Made of few blocks again and again, so that much of the needle matches in the wrong place. */
  const blocks = fc.array(fc.constantFrom('a', 'ab', 'aab', 'abaab', 'abaababaab'), { minLength: 20, maxLength: 30 });
  const needles = blocks.map((all) => all.join('')).filter((text) => text.length > 32);

  it('finds what the engine finds', () => {
    fc.assert(
      fc.property(needles, blocks, fc.nat(100), fc.nat(40), (needle, around, from, cut) => {
        const other = around.join('');
        const texts = [other, other + needle, needle.slice(0, -cut) + needle, needle.slice(cut) + other + needle];
        for (const text of texts) expect(findText(text, needle, from)).toBe(text.indexOf(needle, from));
      }),
      { numRuns: 1000 },
    );
  });

  // Whatever is not linear here takes hours, not milliseconds: the time limit of the test is what fails.
  it.each([
    ['its last unit differs', `${'a'.repeat(500_000)}b`],
    ['its first unit differs', `b${'a'.repeat(500_000)}`],
    ['its middle differs', `${'a'.repeat(250_000)}b${'a'.repeat(250_000)}`],
  ])('takes linear time when %s', (_title, needle) => {
    expect(findText('a'.repeat(4_000_000), needle, 0)).toBe(-1);
  });

  it('with many wildcards takes linear time', () => {
    const texts = ['a'.repeat(1_000_000), 'ab'.repeat(500_000)];
    const patterns = [
      `${'*a'.repeat(1000)}*c`,
      `${'*ab'.repeat(700)}c`,
      `${'*?a'.repeat(700)}*c*`,
      `*${'a'.repeat(2000)}b*`,
    ];
    for (const text of texts) for (const pattern of patterns) expect(matches(pattern, text)).toBe(false);
  });
});
