import { platformOf, type Platform, type Store } from '../../platform.js';
import { clientError } from '../../umbra-error.js';
import { within } from '../../within.js';
import { SealedDatabase } from './indexed-db.js';
import { opened, sealedBy } from './sealing.js';

/** What is used of a page beside IndexedDB. */
interface Surroundings {
  readonly navigator?: {
    readonly locks?: {
      request<T>(name: string, options: { signal: AbortSignal }, task: () => Promise<T>): Promise<T>;
    };
  };
  readonly BroadcastChannel: new (name: string) => Channel;
}
interface Channel {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(data: unknown): void;
  close(): void;
}

/** Milliseconds that a tab waits for a lock. */
const LONGEST_WAIT_MS = 90_000;
/** Milliseconds that it holds one: twice as long as an attempt to get a token. The other tabs wait longer. */
const LONGEST_HOLD_MS = 60_000;

/**
 * Texts in IndexedDB for all tabs and workers of an origin, sealed by AES-256-GCM under a key that scripts can use and not
 * take out. The lock is a Web Lock, which holds for all of them, and they hear of each change by a BroadcastChannel. Pages
 * need TLS for it, or an address of loopback. No errors until it is used.
 * @param name of the database, the locks and the channel
 */
export function browserStore(name = 'umbra', options: Partial<Pick<Platform, 'clock'>> = {}): Required<Store> {
  const { clock } = platformOf(options);
  const surroundings = globalThis as unknown as Surroundings;
  let opening: Promise<SealedDatabase> | null = null;
  const lost = (): void => void (opening = null);
  const database = async (): Promise<SealedDatabase> => {
    try {
      return await (opening ??= SealedDatabase.open(name, lost));
    } catch (error) {
      lost();
      throw error;
    }
  };
  const channel = (): Channel => new surroundings.BroadcastChannel(name);
  const tell = (key: string): void => {
    const to = channel();
    to.postMessage(key);
    to.close();
  };
  return {
    async get(key) {
      const rows = await database();
      const sealed = await rows.read(key);
      return sealed ? await opened(rows.key, sealed) : null;
    },
    async set(key, text) {
      const rows = await database();
      await rows.write(key, await sealedBy(rows.key, text));
      tell(key);
    },
    async delete(key) {
      await (await database()).remove(key);
      tell(key);
    },
    async lock(key, task) {
      const locks = surroundings.navigator?.locks;
      if (!locks) throw clientError('invalid-argument', 'Web Locks are for pages with TLS; give a store of your own');
      const waiting = new AbortController();
      const late = clientError('timeout', `the lock ${key} was held for too long`, { retryable: true });
      const cancel = clock.after(LONGEST_WAIT_MS, () => waiting.abort(late));
      try {
        return await locks.request(`${name}/${key}`, { signal: waiting.signal }, () => {
          cancel();
          return within({ clock, ms: LONGEST_HOLD_MS, what: `what holds the lock ${key}` }, task);
        });
      } finally {
        cancel();
      }
    },
    watch(key, changed) {
      const from = channel();
      from.onmessage = ({ data }) => {
        if (data === key) changed();
      };
      return () => from.close();
    },
  };
}
