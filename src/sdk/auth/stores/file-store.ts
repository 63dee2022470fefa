import { builtin } from '../../builtin.js';
import { platformOf, type Clock, type Platform, type Store } from '../../platform.js';
import { clientError } from '../../umbra-error.js';

/** What is used of `node:fs/promises`. */
interface Files {
  mkdir(path: string, options: { recursive: true; mode: number }): Promise<unknown>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, text: string, options: { mode: number; flag: 'wx' }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  link(of: string, path: string): Promise<void>;
  stat(path: string): Promise<{ mtimeMs: number }>;
  rm(path: string, options: { force: true }): Promise<void>;
}

/** Milliseconds after which a lock is that of a process that has died: a task takes less. */
const STALE_MS = 60_000;
/** Milliseconds that a process waits for a lock. */
const LONGEST_WAIT_MS = 90_000;
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 200;

/**
 * Texts in files of a folder, one for each key, which only their user can read. Each is replaced as a whole. The lock is
 * a file beside it: it holds for all processes that use the folder. For Node.
 */
export function fileStore(
  folder: string,
  options: Partial<Pick<Platform, 'clock' | 'newId'>> = {},
): Required<Omit<Store, 'watch'>> {
  const { clock, newId } = platformOf(options);
  const pathOf = (key: string): string => `${folder}/${encodeURIComponent(key)}.token`;
  const write = async (path: string, text: string): Promise<void> => {
    await files().mkdir(folder, { recursive: true, mode: 0o700 });
    await files().writeFile(path, text, { mode: 0o600, flag: 'wx' });
  };
  return {
    get: (key) => textOf(pathOf(key)),
    async set(key, value) {
      const path = pathOf(key);
      const fresh = `${path}.${newId()}`;
      await write(fresh, value);
      await files().rename(fresh, path);
    },
    delete: (key) => files().rm(pathOf(key), { force: true }),
    async lock(key, task) {
      const path = `${pathOf(key)}.lock`;
      const mark = newId();
      await taken({ path, aside: `${path}.${mark}`, take: () => write(path, mark), clock });
      try {
        return await task();
      } finally {
        // Whoever took it for that of a dead process has it now.
        if ((await textOf(path)) === mark) await files().rm(path, { force: true });
      }
    },
  };
}

function files(): Files {
  const found = builtin<Files>('node:fs/promises');
  if (!found) throw clientError('invalid-argument', 'files are for Node; give a store of your own');
  return found;
}

async function textOf(path: string): Promise<string | null> {
  return files().readFile(path, 'utf8').catch(nullIf('ENOENT'));
}

interface Taking {
  readonly path: string;
  /** A name that nobody else uses. */
  readonly aside: string;
  /** Makes the file of the lock. @throws EEXIST if it is there */
  readonly take: () => Promise<void>;
  readonly clock: Clock;
}

/** Waits until the lock is ours. @throws UmbraError timeout */
async function taken({ path, aside, take, clock }: Taking): Promise<void> {
  const start = clock.monotonic();
  for (let look = FIRST_LOOK_MS; ; look = Math.min(look * 1.5, LAST_LOOK_MS)) {
    const isTaken = (await take().catch(nullIf('EEXIST'))) !== null;
    if (isTaken) return;
    await removeStale(path, aside, clock);
    if (clock.monotonic() - start > LONGEST_WAIT_MS)
      throw clientError('timeout', `the lock ${path} was held for too long`, { retryable: true });
    await new Promise<void>((resolve) => void clock.after(look, resolve));
  }
}

/**
 * Of two that find it stale one may have it already when the other one takes it away. So it is taken to a name of one's
 * own first, looked at there, and put back if it is the lock of somebody who lives. A third one can come between only
 * within that moment.
 */
async function removeStale(path: string, aside: string, clock: Clock): Promise<void> {
  const { rename, link, rm } = files();
  if (((await ageOf(path, clock)) ?? 0) <= STALE_MS) return;
  await rename(path, aside).catch(nullIf('ENOENT'));
  try {
    const age = await ageOf(aside, clock);
    if (age !== null && age <= STALE_MS) await link(aside, path).catch(nullIf('EEXIST'));
  } finally {
    await rm(aside, { force: true });
  }
}

/** Milliseconds since the file was written; null: there is none. */
async function ageOf(path: string, clock: Clock): Promise<number | null> {
  const found = await files().stat(path).catch(nullIf('ENOENT'));
  return found && clock.now() - found.mtimeMs;
}

const nullIf =
  (code: string) =>
  (error: unknown): null => {
    if ((error as { code?: string }).code === code) return null;
    throw error;
  };
