import { builtin } from './builtin.js';
import { clientError } from './umbra-error.js';

/** What is used of `node:fs/promises`. */
interface Files {
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, text: string, options: { mode: number }): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

function files(): Files {
  const found = builtin<Files>('node:fs/promises');
  if (!found) throw clientError('invalid-argument', 'files are for Node; give a store of your own');
  return found;
}

/** null: there is no such file. @throws UmbraError invalid-argument; the error of the system */
export async function textOfFile(path: string): Promise<string | null> {
  try {
    return await files().readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw error;
  }
}

/** Where a file is written before it takes the place of the old one. No name of a shadow has a tilde. */
export const freshOf = (path: string): string => `${path}.~new`;

/**
 * Replaces a file as a whole: a reader sees the old text or the new one. Others than its owner cannot read it.
 * @throws UmbraError invalid-argument; the error of the system
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const { writeFile, rename } = files();
  await writeFile(freshOf(path), text, { mode: 0o600 });
  await rename(freshOf(path), path);
}
