import { DEFAULT_LIMITS } from './limits.js';
import { PatchedState } from './patched-state.js';

it('touches nothing for a path that leads nowhere, however long it is', () => {
  const state = new PatchedState({ desired: { a: [1] }, reported: {} }, DEFAULT_LIMITS);
  const path = ['desired', ...Array<string>(32_000).fill('b')];
  expect(() => state.apply({ op: 'remove', path }, 0)).toThrow('there is nothing at this place');
  expect(() => state.apply({ op: 'remove', path: ['desired', 'a', '1'] }, 0)).toThrow('there is nothing at this place');
  expect(state.touched).toEqual({ whole: false, members: new Map() });
});
