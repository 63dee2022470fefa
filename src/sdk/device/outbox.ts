import { builtin } from '../builtin.js';
import { freshOf, replaceFile, textOfFile } from '../files.js';
import type { Store } from '../platform.js';
import { clientError } from '../umbra-error.js';

/** Keeps reports that the service has not stored yet, so that they outlive the process. */
export interface Outbox {
  /** @param shadow null: the classic one. Null: nothing waits. */
  load(shadow: string | null): Promise<string | null>;
  /** Replaces what waits. It must be safe when it returns. */
  save(shadow: string | null, text: string): Promise<void>;
}

export interface FileOutboxOptions {
  /**
   * True: each save waits for two fsyncs, of the file and of its folder, and so outlives a power cut. Otherwise it outlives
   * the process, however that ends.
   */
  readonly durable?: boolean;
}

/** An outbox in a file, with one more for each named shadow beside it. A file is replaced as a whole. */
export function fileOutbox(path: string, { durable = false }: FileOutboxOptions = {}): Outbox {
  const fileOf = (shadow: string | null): string =>
    shadow === null ? path : `${path}.${encodeURIComponent(shadow).replaceAll('%', '~')}`;
  return {
    load: (shadow) => textOfFile(fileOf(shadow)),
    save: (shadow, text) => (durable ? replaceDurably : replaceFile)(fileOf(shadow), text),
  };
}

/** What is used of `node:fs/promises`. */
interface Handle {
  writeFile(text: string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}
interface Files {
  open(path: string, flags: 'w' | 'r', mode?: number): Promise<Handle>;
  rename(from: string, to: string): Promise<void>;
}
interface Path {
  dirname(path: string): string;
}

/** The new text is on the disk before it takes the place of the old one, and its place before this returns. */
async function replaceDurably(path: string, text: string): Promise<void> {
  const [files, paths] = [builtin<Files>('node:fs/promises'), builtin<Path>('node:path')];
  if (!files || !paths) throw clientError('invalid-argument', 'files are for Node; give a store of your own');
  const sync = async (handle: Handle, before?: string): Promise<void> => {
    try {
      if (before !== undefined) await handle.writeFile(before);
      await handle.sync();
    } finally {
      await handle.close();
    }
  };
  await sync(await files.open(freshOf(path), 'w', 0o600), text);
  await files.rename(freshOf(path), path);
  await sync(await files.open(paths.dirname(path), 'r'));
}

/** An outbox in a store. */
export const storeOutbox = (store: Store, key: string): Outbox => {
  const keyOf = (shadow: string | null): string => (shadow === null ? key : `${key}/${shadow}`);
  return {
    load: (shadow) => store.get(keyOf(shadow)),
    save: (shadow, text) => store.set(keyOf(shadow), text),
  };
};
