import { RecordFault } from '../directory/records/record-reader.js';
import type { JsonObject } from '../document/shadow-document.js';
import type { SettingsContext } from './sink-kind.js';

const MAX_SECRET = 1024;
/** A line break would end the command of a protocol that takes lines. */
const SECRET = /^[^\p{Cc}\p{Cs}]{1,1024}$/u;

/**
 * Takes the secrets out of what a request says. One that it does not name stays as it was, for the servers that had it;
 * null takes it away.
 * @param place the member that names the servers
 * @returns the rest of the members, and the secrets
 * @throws RecordFault
 */
export function splitSecrets(
  given: Readonly<Record<string, unknown>>,
  names: readonly string[],
  before: SettingsContext['before'],
  place: string,
): { readonly rest: Record<string, unknown>; readonly secrets: JsonObject } {
  const rest = { ...given };
  const secrets: JsonObject = {};
  const known = [before?.settings[place]].flat();
  const isElsewhere = [given[place]].flat().some((server) => !known.includes(server as string));
  for (const name of names) {
    const isGiven = Object.hasOwn(given, name);
    const value = isGiven ? given[name] : before?.secrets[name];
    delete rest[name];
    if (value === undefined || value === null) continue;
    if (!isGiven && isElsewhere)
      throw new RecordFault(`settings.${name} was given for another server: give it again, or null to take it away`);
    if (typeof value !== 'string' || !SECRET.test(value))
      throw new RecordFault(`settings.${name} must be null, or text of 1 to ${MAX_SECRET} printable characters`);
    secrets[name] = value;
  }
  return { rest, secrets };
}

/** A secret by its name; null: it is not set. No errors. */
export function secretText(secrets: JsonObject, name: string): string | null {
  const value = secrets[name];
  return typeof value === 'string' ? value : null;
}
