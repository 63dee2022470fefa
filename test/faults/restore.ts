import type { Result } from './run-scenario.js';
export const RESTORES: readonly string[] = [];
export async function runRestore(name: string, _seed: number): Promise<Result> {
  throw new Error(name);
}
