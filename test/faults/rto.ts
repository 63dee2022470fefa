import type { JsonLines } from './report.js';
export async function measureRto(_trials: number, _json: JsonLines): Promise<boolean> {
  return true;
}
