import { randomBytes } from 'node:crypto';
import { lstat, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CliError, EXIT, usage } from './exit-code.js';

/** Who may read a file: its owner, or everybody. */
export type Readers = 'owner' | 'everybody';

const MODES: Readonly<Record<Readers, number>> = { owner: 0o600, everybody: 0o644 };

/** A place for a file that is not there yet, taken before what belongs in it is made. */
export interface ReservedFile {
  readonly path: string;
  /** Puts the content there. @throws CliError if it cannot be written; then the place is free again */
  write(text: string): Promise<void>;
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
  const exists = await lstat(path).then(
    () => true,
    () => false,
  );
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
  return {
    path,
    release: () => end(false),
    async write(text) {
      try {
        await handle.writeFile(text);
        await handle.sync();
        if (fresh !== path) await rename(fresh, path);
      } catch (error) {
        await end(false);
        throw new CliError(EXIT.failed, `${path} cannot be written (${(error as NodeJS.ErrnoException).code})`);
      }
      await end(true);
    },
  };
}

/** A file that is to be made. */
export interface NewFile {
  readonly path: string;
  readonly readers: Readers;
  readonly text: string;
}

/** Makes several files that belong together; none is there if the place of one is taken. @throws CliError */
export async function writeFiles(files: readonly NewFile[], isForced = false): Promise<void> {
  const reserved: ReservedFile[] = [];
  try {
    for (const { path, readers } of files) reserved.push(await reserveFile(path, { isForced, readers }));
    for (const [index, file] of reserved.entries()) await file.write(files[index]!.text);
  } finally {
    for (const file of reserved) await file.release();
  }
}
