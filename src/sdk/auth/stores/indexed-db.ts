import { clientError } from '../../umbra-error.js';
import { newKey, type Key, type Sealed } from './sealing.js';

/** What is used of IndexedDB; the types of pages are not those of the library. */
interface Asked<T = unknown> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: (() => void) | null;
}
interface Opening extends Asked<Open> {
  onupgradeneeded: (() => void) | null;
}
interface Open {
  createObjectStore(name: string): unknown;
  transaction(name: string, mode: 'readonly' | 'readwrite'): Transaction;
  close(): void;
  onversionchange: (() => void) | null;
  onclose: (() => void) | null;
}
interface Transaction {
  objectStore(name: string): Rows;
  readonly error: unknown;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}
interface Rows {
  get(key: string): Asked;
  put(value: unknown, key: string): Asked;
  delete(key: string): Asked;
}

/** One table: the key under a name that no text has, and what it seals. */
const ROWS = 'sealed';
const KEY = 'key';
const rowOf = (name: string): string => `text/${name}`;

/** Sealed texts of a database of the browser, and the key that seals them, which is made at the first use. */
export class SealedDatabase {
  private constructor(
    readonly key: Key,
    private readonly open: Open,
  ) {}

  /** @param lost runs when it was closed by the browser, or to let another page delete it */
  static async open(name: string, lost: () => void): Promise<SealedDatabase> {
    const { indexedDB } = globalThis as { indexedDB?: { open(name: string, version: number): Opening } };
    if (!indexedDB) throw clientError('invalid-argument', 'IndexedDB is for browsers; give a store of your own');
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(ROWS);
    const open = await resultOf(asked);
    const ended = (): void => {
      open.close();
      lost();
    };
    open.onversionchange = ended;
    open.onclose = ended;
    return new SealedDatabase(await keyOf(open), open);
  }

  async read(name: string): Promise<Sealed | undefined> {
    return (await run(this.open, 'readonly', (rows) => rows.get(rowOf(name)))) as Sealed | undefined;
  }

  async write(name: string, sealed: Sealed): Promise<void> {
    await run(this.open, 'readwrite', (rows) => rows.put(sealed, rowOf(name)));
  }

  async remove(name: string): Promise<void> {
    await run(this.open, 'readwrite', (rows) => rows.delete(rowOf(name)));
  }
}

/** Of two tabs that make one at the same time, both take the one that was stored first. */
async function keyOf(open: Open): Promise<Key> {
  const found = await run(open, 'readonly', (rows) => rows.get(KEY));
  if (found !== undefined) return found as Key;
  const fresh = await newKey();
  let first: Key = fresh;
  await run(open, 'readwrite', (rows) => {
    const asked = rows.get(KEY);
    asked.onsuccess = () => {
      if (asked.result === undefined) rows.put(fresh, KEY);
      else first = asked.result as Key;
    };
    return asked;
  });
  return first;
}

/** One transaction, until it is stored. @returns the result of the request */
function run(open: Open, mode: 'readonly' | 'readwrite', task: (rows: Rows) => Asked): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const transaction = open.transaction(ROWS, mode);
    const asked = task(transaction.objectStore(ROWS));
    transaction.oncomplete = () => resolve(asked.result);
    transaction.onabort = () => reject(asError(transaction.error));
  });
}

const resultOf = <T>(asked: Asked<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asError(asked.error));
  });

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error('the database has failed'));
