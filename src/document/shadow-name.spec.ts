import { checkShadowName, checkThingName, displayName, isShadowName, isThingName } from './shadow-name.js';

describe('names', () => {
  it.each<[string, boolean, boolean]>([
    ['t', true, true],
    ['a:b_c-1', true, true],
    ['__proto__', true, true],
    ['constructor', true, true],
    ['update', true, true],
    ['$x', false, true],
    ['x'.repeat(64), true, true],
    ['x'.repeat(65), true, false],
    ['x'.repeat(128), true, false],
    ['x'.repeat(129), false, false],
    ['', false, false],
    ['T x', false, false],
    ['a/b', false, false],
    ['a+', false, false],
    ['#', false, false],
    ['a\n', false, false],
    ['a\0', false, false],
    ['ä', false, false],
    ['..', false, false],
    ['a%3A', false, false],
    ['~', false, false],
  ])('%j: thing %s, shadow %s', (name, thing, shadow) => {
    expect(isThingName(name)).toBe(thing);
    expect(isShadowName(name)).toBe(shadow);
  });

  it.each([undefined, null, 5, ['a'], { toString: () => 'a' }])('%j is no name', (value) => {
    expect(isThingName(value as never)).toBe(false);
    expect(isShadowName(value as never)).toBe(false);
  });

  it('are refused with a row of the table', () => {
    expect(() => checkThingName('a/b')).toThrow(expect.objectContaining({ code: 'invalidThingName', status: 400 }));
    expect(() => checkShadowName('a b')).toThrow(expect.objectContaining({ code: 'invalidShadowName', status: 400 }));
    expect(() => checkThingName('a')).not.toThrow();
    expect(() => checkShadowName('$a')).not.toThrow();
  });

  it('are shown as AWS shows them', () => {
    expect(displayName('t', null)).toBe('t');
    expect(displayName('t', 's')).toBe('t~s');
  });
});
