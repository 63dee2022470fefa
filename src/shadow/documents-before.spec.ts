import type { ShadowState } from '../document/shadow-document.js';
import { isRealChange, type Before } from './documents-before.js';

const lamp = (desired?: object, reported?: object): ShadowState =>
  ({ version: 2, desired, reported, metadata: {} }) as ShadowState;
const gone: ShadowState = { deleted: true, version: 2, deletedAt: 1 };

describe('a real change', () => {
  it.each<[string, Before, ShadowState, boolean]>([
    ['another value', lamp({ led: 1 }), lamp({ led: 2 }), true],
    ['the same value', lamp({ led: 1 }), lamp({ led: 1 }), false],
    ['the same values in another order', lamp({ a: 1, b: [1] }), lamp({ b: [1], a: 1 }), false],
    ['another order in an array', lamp({ a: [1, 2] }), lamp({ a: [2, 1] }), true],
    ['a member more', lamp({}), lamp({ a: 1 }), true],
    ['a section that is empty, and was not there', lamp(), lamp({}), false],
    ['a section of two', lamp({ a: 1 }, { b: 1 }), lamp({ a: 1 }, { b: 2 }), true],
    ['another type', lamp({ a: 1 }), lamp({ a: '1' }), true],
    ['a creation', null, lamp(), true],
    ['a creation after a deletion', gone, lamp(), true],
    ['a deletion', lamp(), gone, true],
    ['what is not known', 'compacted', lamp(), true],
    ['what could not be read', 'unavailable', lamp(), true],
  ])('%s: %#', (_what, before, after, real) => expect(isRealChange(before, after)).toBe(real));
});
