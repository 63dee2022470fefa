import { adviserFor, type Advise } from '../advise.js';
import { CliError, EXIT, isUmbraError } from '../exit-code.js';
import { recordsOf, type RecordPath, type Records } from '../records.js';
import { reserveFile, type ReservedFile } from '../secret-file.js';
import type { Run, Session } from '../session.js';

/** A key as the service shows it: without what proves anything. */
export interface Key {
  readonly id: string;
  readonly principal: string;
  readonly kind: 'secret' | 'aws';
  readonly title: string;
  readonly disabled: boolean;
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

/** What is told of a key only when it is made. */
type NewKey = { readonly id: string } & ({ readonly key: string } | { readonly secret: string });

/** Where a key goes. */
export interface Place {
  readonly out: string;
  readonly force?: true | undefined;
}

/** How a key is to be. */
export interface KeyMembers {
  readonly title?: string;
  /** Seconds. */
  readonly expiresIn?: number | undefined;
  readonly kind?: Key['kind'];
}

interface Given extends Place, KeyMembers {
  readonly tenant?: string | undefined;
}

/** What is told of a key that is in a file now. */
export interface MadeKey {
  readonly principal: string;
  readonly key: string;
  readonly file: string;
}

const keysPath = (id: string): RecordPath => ['principals', id, 'keys'];

/** The keys of a principal. @throws CliError, UmbraError */
export const keysOf = async (records: Records, id: string): Promise<readonly Key[]> =>
  (await records.need<{ keys: readonly Key[] }>(keysPath(id))).record.keys;

/** `client key list`. @throws CliError, UmbraError */
export const list: Run = async (session, [id = ''], options) => {
  const keys = await keysOf(await recordsOf(session, (options as unknown as Given).tenant), id);
  await session.out.list(keys, ['KEY', 'KIND', 'TITLE', 'CREATED', 'EXPIRES'], (key) => [
    ...[key.id, key.kind, key.title, key.createdAt, key.expiresAt ?? 'never'],
  ]);
};

/** `client key create` and `device key`. @throws CliError, UmbraError */
export const create: Run = async (session, [id = ''], options) => {
  const given = options as unknown as Given;
  const records = await recordsOf(session, given.tenant);
  const maker = { session, records, advise: adviserFor(session.options, given.tenant) };
  const made = await withPlace(given, (file) => makeKey(maker, id, given, file));
  await session.out.say(made, `${id} has the key ${made.key}, in ${made.file}`);
};

/** Runs a task with a place for a key, taken before anything is asked for. @throws CliError, whatever the task throws */
export async function withPlace<T>({ out, force }: Place, task: (file: ReservedFile) => Promise<T>): Promise<T> {
  const file = await reserveFile(out, { isForced: force });
  try {
    return await task(file);
  } finally {
    await file.release();
  }
}

/** What making a key takes from its command. */
export interface Maker {
  readonly session: Session;
  readonly records: Records;
  readonly advise: Advise;
}

/**
 * Makes a key into a file. If it cannot be kept there, it is revoked again. A key that may be left behind is told.
 * @throws CliError, UmbraError
 */
export async function makeKey(
  { session, records, advise }: Maker,
  id: string,
  { title, expiresIn, kind }: KeyMembers,
  file: ReservedFile,
): Promise<MadeKey> {
  const body = { ...(kind && { kind }), ...(title && { title }), ...(expiresIn && { expiresIn }) };
  const { record: made } = await records.post<NewKey>(keysPath(id), body).catch(async (error: unknown) => {
    if (mayBeDone(error))
      await session.warn(
        'key-in-doubt',
        `${id} may have a key now that nobody knows: see \`${advise('client', 'key', 'list', id)}\`, and revoke it`,
      );
    throw error;
  });
  try {
    await file.write(textOf(made));
  } catch (error) {
    await revoked(records, id, made.id).catch(({ message }: Error) =>
      session.warn(
        'key-left',
        `the key ${made.id} is in no file and still holds (${message}): ` +
          `take it back with \`${advise('client', 'key', 'revoke', id, made.id)}\``,
      ),
    );
    throw error;
  }
  return { principal: id, key: made.id, file: file.path };
}

/** Whether what was asked for may have been carried out all the same. */
const mayBeDone = (error: unknown): boolean =>
  isUmbraError(error) ? error.outcome !== 'not-applied' : !(error instanceof CliError);

/** An access key as files of credentials of AWS have it. */
const textOf = (made: NewKey): string =>
  'key' in made
    ? `${made.key}\n`
    : `[default]\naws_access_key_id = ${made.id}\naws_secret_access_key = ${made.secret}\n`;

const revoked = (records: Records, id: string, key: string): Promise<void> => records.remove([...keysPath(id), key]);

/** `client key rotate`. @throws CliError, UmbraError */
export const rotate: Run = async (session, [id = '', key], options) => {
  const given = options as unknown as Given;
  const records = await recordsOf(session, given.tenant);
  const old = oldOf(await keysOf(records, id), id, key);
  await session.confirm(`Replace the key ${old.id} of ${id}? Connections that were opened with it end.`);
  const { title = old.title, expiresIn = lifeOf(old), tenant } = given;
  const members = { title, expiresIn, kind: old.kind };
  const maker = { session, records, advise: adviserFor(session.options, tenant) };
  const { key: made, file } = await withPlace(given, (place) => makeKey(maker, id, members, place));
  await revoked(records, id, old.id).catch((error: Error) => {
    throw new CliError(
      EXIT.failed,
      `the new key is in ${file}, but the old one, ${old.id}, still holds: ${error.message}`,
    );
  });
  await session.out.say(
    { principal: id, key: made, file, revoked: old.id },
    `${id} has the key ${made}, in ${file}; ${old.id} is revoked`,
  );
};

function oldOf(keys: readonly Key[], id: string, wanted: string | undefined): Key {
  const [only, ...others] = wanted === undefined ? keys : keys.filter((key) => key.id === wanted);
  if (only === undefined)
    throw new CliError(EXIT.notFound, `${id} has no key${wanted === undefined ? '' : ` ${wanted}`}`);
  if (others.length === 0) return only;
  const all = keys.map((key) => key.id).join(', ');
  throw new CliError(EXIT.failed, `${id} has several keys; say which one is to be replaced: ${all}`);
}

/** Seconds; a new key ends as long after now as the old one after it was made. */
const lifeOf = ({ createdAt, expiresAt }: Key): number | undefined =>
  expiresAt === null ? undefined : Math.max(1, Math.round((Date.parse(expiresAt) - Date.parse(createdAt)) / 1000));

/** `client key revoke`. @throws CliError, UmbraError */
export const revoke: Run = async (session, [id = '', key = ''], options) => {
  await session.confirm(`Revoke the key ${key} of ${id}?`);
  await revoked(await recordsOf(session, (options as unknown as Given).tenant), id, key);
  await session.out.say({ principal: id, key, revoked: true }, `the key ${key} of ${id} is revoked`);
};

/** Revokes all keys of a principal. Returns their ids. @throws UmbraError */
export async function revokeAll(records: Records, id: string): Promise<readonly string[]> {
  const keys = await keysOf(records, id);
  for (const key of keys) await revoked(records, id, key.id);
  return keys.map((key) => key.id);
}
