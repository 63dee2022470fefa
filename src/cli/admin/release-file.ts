import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, EXIT, usage } from '../exit-code.js';
import { parseJson, textOf } from '../json-file.js';
import { writeFiles } from '../secret-file.js';
import type { Line } from './preflight.js';
import type { ReleaseForm } from './release-form.js';

/** A release that was let in: its form, and under what circumstances. */
export interface KeptForm extends ReleaseForm {
  readonly openedAt: string;
  /** null: outside of all of them. */
  readonly window: string | null;
  readonly timeZone: string;
  /** Why it is outside of the windows; null: it is not. */
  readonly reason: string | null;
  readonly server: string;
  readonly checks: readonly Line[];
}

/** Puts a form into the folder. Returns its path, whose name sorts by time. @throws CliError */
export async function keepForm(folder: string, form: KeptForm): Promise<string> {
  await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new CliError(EXIT.failed, `${folder} cannot be made (${error.code})`);
  });
  const name = `${form.openedAt.replaceAll(/[:.]/g, '')}-${form.to.version}.json`;
  const path = join(folder, name);
  await writeFiles([{ path, readers: 'everybody', text: `${JSON.stringify(form, null, 2)}\n` }]);
  return path;
}

/** The form of a release that was let in. @throws CliError */
export async function readKeptForm(path: string): Promise<KeptForm> {
  const text = await textOf(path, { stdin: (async function* () {})() });
  const { value } = await parseJson(text, path);
  const form = value as Partial<KeptForm> | null;
  if (typeof form?.from?.version !== 'string' || typeof form.openedAt !== 'string')
    throw usage(`${path} is no form that umbra ops release has kept`);
  return form as KeptForm;
}
