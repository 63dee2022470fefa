import { readFileSync } from 'node:fs';

/** The version of this software, from package.json, its only source. package.json lies beside dist/ and src/. */
export const VERSION: string = readVersion();

function readVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version?: string }).version ?? 'unknown';
}
