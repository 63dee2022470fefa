import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ProfileFault, readProfile, type Profile } from './profile.js';

const FOLDER = new URL('weights/', import.meta.url);

/** Those of the repository. */
export const PROFILES = (): Profile[] =>
  readdirSync(FOLDER)
    .sort()
    .map((file) => profileOfFile(new URL(file, FOLDER)));

/** @throws ProfileFault */
export function profileOfFile(file: string | URL): Profile {
  const name = basename(String(file), '.json');
  let given: unknown;
  try {
    given = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ProfileFault(`profile ${name} cannot be read: ${String(error)}`);
  }
  return readProfile(name, given);
}
