import type { JsonLines } from './report.js';
export async function runMutations(_only: string | null, _seed: number, _json: JsonLines): Promise<boolean> {
  return true;
}
