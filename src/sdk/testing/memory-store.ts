import type { Store } from '../platform.js';

/** A store in memory, with a lock within the process. */
export function memoryStore(): Store & { readonly texts: Map<string, string> } {
  const texts = new Map<string, string>();
  const turns = new Map<string, Promise<unknown>>();
  return {
    texts,
    get: (key) => Promise.resolve(texts.get(key) ?? null),
    set: async (key, value) => void texts.set(key, value),
    delete: async (key) => void texts.delete(key),
    lock(key, task) {
      const turn = (turns.get(key) ?? Promise.resolve()).then(task, task);
      turns.set(
        key,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
}
