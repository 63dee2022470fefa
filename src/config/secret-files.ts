import { closeSync, openSync, readSync } from 'node:fs';
import type { ConfigProblem } from './config-error.js';
import { VARIABLE_NAMES, VARIABLES, type VariableName } from './variables.js';

type Source = Readonly<Record<string, string | undefined>>;

/** Bytes of a file with a secret. */
const MAX_BYTES = 64 * 1024;
const SUFFIX = '_FILE';

/** Secrets whose value a file may have instead, as `NAME_FILE` says: those that are not paths of files already. */
export const FROM_FILE: readonly VariableName[] = VARIABLE_NAMES.filter(
  (name) => VARIABLES[name].secret && VARIABLES[name].type !== 'path',
);

/** The variable that names the file with the value of another one. No errors. */
export const fileVariableOf = (name: VariableName): string => name + SUFFIX;

/**
 * Puts the contents of files in the place of the variables that name them. The last line break of a file is no part of
 * the secret. No errors: what is wrong is told, and never shows what was given, since some people put the secret there.
 */
export function withSecretFiles(given: Source): {
  readonly source: Source;
  readonly problems: readonly ConfigProblem[];
} {
  const source: Record<string, string | undefined> = { ...given };
  const problems: ConfigProblem[] = [];
  for (const name of FROM_FILE) {
    const variable = fileVariableOf(name);
    const path = given[variable];
    delete source[variable];
    if (!path) continue;
    if (given[name]) problems.push({ variable, problem: `is set together with ${name}; remove one of them` });
    else {
      const read = contentOf(path);
      if ('value' in read) source[name] = read.value;
      else problems.push({ variable, problem: read.problem });
    }
  }
  return { source, problems };
}

function contentOf(path: string): { readonly value: string } | { readonly problem: string } {
  const advice = 'give the path of a file that this user may read';
  let text: string;
  try {
    text = beginningOf(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return { problem: `names a file that cannot be read (${code}); ${advice}` };
  }
  if (text.length > MAX_BYTES) return { problem: `names a file of more than ${MAX_BYTES} bytes; ${advice}` };
  const value = text.replace(/\r?\n$/, '');
  return value === '' ? { problem: 'names a file that is empty; write the secret into it' } : { value };
}

/** All of a file, or one byte more than it may have. */
function beginningOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < bytes.length; size += read)
      read = readSync(file, bytes, size, bytes.length - size, null);
    return bytes.toString('utf8', 0, size);
  } finally {
    closeSync(file);
  }
}
