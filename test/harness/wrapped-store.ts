import { submitByUpdate, type Operation } from '../../src/store/operation.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';

/** A store as a test has wrapped it. Operations go through `update`, so that a test has one method to replace. */
export function wrappedStore(store: ShadowStore, wrap: ((store: ShadowStore) => ShadowStore) | undefined): ShadowStore {
  if (!wrap) return store;
  const outer = wrap(store);
  if (outer === store) return store;
  return new Proxy(outer, {
    get(target, member) {
      if (member === 'submit') return (operation: Operation) => submitByUpdate(target, operation);
      const value = Reflect.get(target, member, target) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
