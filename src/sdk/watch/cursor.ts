import { replaceFile, textOfFile } from '../files.js';
import type { Store } from '../platform.js';

/** Where the cursor of a stream is kept. */
export interface Cursor {
  /** Undefined: there is none yet. */
  load(): Promise<string | undefined>;
  save(cursor: string): Promise<void>;
}

/** A cursor in a file of its own, on Node. It is replaced as a whole, so it is never half-written. */
export function fileCursor(path: string): Cursor {
  return {
    load: async () => (await textOfFile(path))?.trim() || undefined,
    save: (cursor) => replaceFile(path, `${cursor}\n`),
  };
}

/** A cursor in a store. */
export const storeCursor = (store: Store, key: string): Cursor => ({
  load: async () => (await store.get(key)) ?? undefined,
  save: (cursor) => store.set(key, cursor),
});
