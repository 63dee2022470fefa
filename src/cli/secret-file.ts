import { randomBytes } from 'node:crypto';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CliError, EXIT, usage } from './exit-code.js';

/** Who may read a file: its owner, or everybody. */
export type Readers = 'owner' | 'everybody';

const MODES: Readonly<Record<Readers, number>> = { owner: 0o600, everybody: 0o644 };

/** A place for a file that is not there yet, taken before what belongs in it is made. */
export interface ReservedFile {
  readonly path: string;
  /** Puts the content there. @throws CliError if it cannot be written; then the place is free again */
  write(text: string): Promise<void>;
  /** The first half of `write`: the content is on the disk, and an existing file is still as it was. @throws CliError */
  prepare(text: string): Promise<void>;
  /** The second half: it takes the place of an existing file. @throws CliError */
  commit(): Promise<void>;
  /** Frees the place, if nothing has been written. No errors. */
  release(): Promise<void>;
}

/**
 * Takes the place of a file, so that a key which is told only once is never without one. An existing file is replaced
 * with `isForced` alone, and not before there is something to replace it by.
 * @throws CliError if the file exists, or its folder cannot be written
 */
export async function reserveFile(
  path: string,
  { isForced = false, readers = 'owner' as Readers }: { isForced?: boolean | undefined; readers?: Readers } = {},
): Promise<ReservedFile> {
  const present = await lstat(path).catch(() => null);
  const exists = present !== null;
  if (present?.isDirectory()) throw usage(`${path} is a folder: give a file`);
  if (exists && !isForced) throw usage(`${path} exists already: give another file, or --force to replace it`);
  const fresh = exists ? join(dirname(path), `.umbra-${randomBytes(6).toString('hex')}`) : path;
  const handle = await open(fresh, 'wx', MODES[readers]).catch((error: NodeJS.ErrnoException) => {
    throw usage(`${path} cannot be written (${error.code})`);
  });
  let isOpen = true;
  const end = async (isKept: boolean): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await handle.close().catch(() => undefined);
    if (!isKept) await rm(fresh, { force: true }).catch(() => undefined);
  };
  const attempt = async (task: () => Promise<void>): Promise<void> => {
    try {
      await task();
    } catch (error) {
      await end(false);
      throw new CliError(EXIT.failed, `${path} cannot be written (${(error as NodeJS.ErrnoException).code})`);
    }
  };
  const prepare = (text: string): Promise<void> =>
    attempt(async () => {
      await handle.writeFile(text);
      await handle.sync();
    });
  const commit = async (): Promise<void> => {
    await attempt(async () => {
      if (fresh !== path) await rename(fresh, path);
    });
    await end(true);
  };
  return {
    path,
    release: () => end(false),
    prepare,
    commit,
    async write(text) {
      await prepare(text);
      await commit();
    },
  };
}

/** A file that is to be made. */
export interface NewFile {
  readonly path: string;
  readonly readers: Readers;
  readonly text: string;
}

/**
 * Makes several files that belong together; none is there if the place of one is taken. Files that are replaced stay as
 * they were until all are on the disk. @throws CliError
 */
export async function writeFiles(files: readonly NewFile[], isForced = false): Promise<void> {
  const places = files.map(({ path }) => resolve(path));
  const twice = places.find((place, index) => places.indexOf(place) !== index);
  if (twice !== undefined) throw usage(`${twice} is to hold two things: give each a file of its own`);
  const reserved: ReservedFile[] = [];
  try {
    for (const { path, readers } of files) reserved.push(await reserveFile(path, { isForced, readers }));
    for (const [index, file] of reserved.entries()) await file.prepare(files[index]!.text);
    for (const file of reserved) await file.commit();
  } finally {
    for (const file of reserved) await file.release();
  }
}
