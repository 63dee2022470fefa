import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CliError, EXIT, isUmbraError } from './exit-code.js';
import { parseJson, textIn } from './json-file.js';
import type { Surroundings } from './surroundings.js';

/** An OpenID provider at which somebody has signed in. The tokens are kept elsewhere. */
export interface Login {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope?: string;
  readonly resource?: string;
}

/** A service and how to sign in to it. */
export interface Context {
  readonly server: string;
  /** The tenant that it is for; absent: that of the credential. */
  readonly tenant?: string;
  /** A key or an access token; absent: none is sent. */
  readonly key?: string;
  /** Whose tokens are sent, instead of a key. */
  readonly login?: Login;
}

/** The content of the configuration file. */
export interface Contexts {
  /** Name of the context that commands use; null: none. */
  readonly current: string | null;
  readonly contexts: Readonly<Record<string, Context>>;
}

/** Permissions for group and others. */
const OTHERS = 0o077;

/** Where the contexts are kept, by the XDG Base Directory Specification. No errors. */
export function contextsFile({ env, home }: Pick<Surroundings, 'env' | 'home'>): string {
  const base = env['XDG_CONFIG_HOME'];
  // The specification has relative paths ignored.
  return join(base?.startsWith('/') ? base : join(home, '.config'), 'umbra', 'config.json');
}

/** @throws CliError if the file is open to others or is not as this program writes it; the error of the system */
export async function readContexts(file: string): Promise<Contexts> {
  let text: string;
  try {
    const { mode } = await stat(file);
    if ((mode & OTHERS) !== 0 && process.platform !== 'win32')
      throw new CliError(EXIT.failed, `${file} has keys and is open to other users: chmod 600 ${file}`);
    const handle = await open(file, 'r');
    text = textIn(await handle.readFile().finally(() => handle.close()), file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { current: null, contexts: {} };
    throw error;
  }
  const value = (await parseJson(text, file)).value as Partial<Contexts> | null;
  if (!isContexts(value)) throw new CliError(EXIT.failed, `${file} is not a file of contexts: correct or remove it`);
  return { current: value.current ?? null, contexts: value.contexts };
}

function isContexts(value: Partial<Contexts> | null): value is Contexts {
  if (typeof value !== 'object' || value === null || typeof value.contexts !== 'object' || value.contexts === null)
    return false;
  const isText = (text: unknown): boolean => text === undefined || typeof text === 'string';
  return Object.values(value.contexts).every(
    (each: Context | null) =>
      typeof each?.server === 'string' && isText(each.tenant) && isText(each.key) && isLogin(each.login),
  );
}

function isLogin(login: Login | null | undefined): boolean {
  if (login === undefined) return true;
  const texts = [login?.issuer, login?.clientId, login?.scope ?? '', login?.resource ?? ''];
  return texts.every((text) => typeof text === 'string');
}

/**
 * Changes the file, one process at a time: what another one has changed meanwhile is in what `change` gets.
 * @throws CliError as readContexts, or if another process does not come to its end; what `change` throws
 */
export async function changeContexts(file: string, change: (all: Contexts) => Contexts): Promise<Contexts> {
  const { fileStore } = await import('../sdk/auth/index.js');
  const folder = dirname(file);
  try {
    return await fileStore(folder).lock('config', async () => {
      const changed = change(await readContexts(file));
      await writeContexts(file, changed);
      return changed;
    });
  } catch (error) {
    throw isUmbraError(error) ? new CliError(EXIT.failed, error.message) : error;
  }
}

/** Replaces the file as a whole, readable by its owner alone. @throws the error of the system */
async function writeContexts(file: string, contexts: Contexts): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    const handle = await open(fresh, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(contexts, null, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
