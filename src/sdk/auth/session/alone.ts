import type { Clock, Store } from '../../platform.js';

/** Milliseconds that a task has before the next one goes all the same: as long as one attempt to get a token. */
const LONGEST_MS = 30_000;

/** The end of the last task for each key of a store without a lock. */
const turns = new WeakMap<Store, Map<string, Promise<void>>>();

/**
 * Runs a task while no other one has this key of the store: by its lock, or where it has none, one task after the other
 * in this process.
 * @throws what the task and the lock throw
 */
export async function alone<T>(store: Store, key: string, clock: Clock, task: () => Promise<T>): Promise<T> {
  if (store.lock) return store.lock(key, task);
  const keys = turns.get(store) ?? new Map<string, Promise<void>>();
  turns.set(store, keys);
  const before = keys.get(key);
  let end!: () => void;
  const turn = new Promise<void>((resolve) => (end = resolve));
  keys.set(key, turn);
  await before;
  const cancel = clock.after(LONGEST_MS, end, true);
  try {
    return await task();
  } finally {
    cancel();
    end();
    if (keys.get(key) === turn) keys.delete(key);
  }
}
