import { replaceFile, textOfFile } from '../files.js';
import type { Store } from '../platform.js';

/** Keeps reports that the service has not stored yet, so that they outlive the process. */
export interface Outbox {
  /** @param shadow null: the classic one. Null: nothing waits. */
  load(shadow: string | null): Promise<string | null>;
  /** Replaces what waits. It must be safe when it returns. */
  save(shadow: string | null, text: string): Promise<void>;
}

/** An outbox in a file, with one more for each named shadow beside it. A file is replaced as a whole. */
export function fileOutbox(path: string): Outbox {
  const fileOf = (shadow: string | null): string =>
    shadow === null ? path : `${path}.${encodeURIComponent(shadow).replaceAll('%', '~')}`;
  return {
    load: (shadow) => textOfFile(fileOf(shadow)),
    save: (shadow, text) => replaceFile(fileOf(shadow), text),
  };
}

/** An outbox in a store. */
export const storeOutbox = (store: Store, key: string): Outbox => {
  const keyOf = (shadow: string | null): string => (shadow === null ? key : `${key}/${shadow}`);
  return {
    load: (shadow) => store.get(keyOf(shadow)),
    save: (shadow, text) => store.set(keyOf(shadow), text),
  };
};
