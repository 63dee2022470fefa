import { RecordFault } from '../directory/records/record-reader.js';
import type { JsonObject } from '../document/shadow-document.js';
import type { SettingsContext } from './sink-kind.js';

const MAX_SECRET = 1024;

/**
 * Takes the secrets out of what a request says. One that it does not name stays as it was; null takes it away.
 * @returns the rest of the members, and the secrets
 * @throws RecordFault
 */
export function splitSecrets(
  given: Readonly<Record<string, unknown>>,
  names: readonly string[],
  before: SettingsContext['before'],
): { readonly rest: Record<string, unknown>; readonly secrets: JsonObject } {
  const rest = { ...given };
  const secrets: JsonObject = {};
  for (const name of names) {
    const value = Object.hasOwn(given, name) ? given[name] : before?.secrets[name];
    delete rest[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' || value === '' || value.length > MAX_SECRET)
      throw new RecordFault(`settings.${name} must be null, or text of 1 to ${MAX_SECRET} characters`);
    secrets[name] = value;
  }
  return { rest, secrets };
}

/** A secret by its name; null: it is not set. No errors. */
export function secretText(secrets: JsonObject, name: string): string | null {
  const value = secrets[name];
  return typeof value === 'string' ? value : null;
}
