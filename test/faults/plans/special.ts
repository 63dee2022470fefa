import type { Result } from '../run-scenario.js';
import { ACCESS, runAccess } from './access.js';
import { RESTORES, runRestore } from './restore.js';

/** Scenarios with traffic and checks of their own, by name. */
export const SPECIAL: readonly string[] = [...RESTORES, ...ACCESS];

/** @throws Error when there is none of that name */
export function runSpecial(name: string, seed: number, main?: string): Promise<Result> {
  return ACCESS.includes(name) ? runAccess(name, seed, main) : runRestore(name, seed, main);
}
