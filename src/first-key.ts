import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FirstAdministrator } from './auth/first-administrator.js';

/**
 * Says the key of the first administrator, once: on the terminal, or else in a file that the node's user alone can read,
 * since what a service prints is kept as a log.
 * @param first null: there was somebody already
 */
export function sayFirstKey(first: FirstAdministrator | null, dataDir: string): void {
  if (first === null) return;
  const made = `The first start has made the principal '${first.principal}', who may do everything.`;
  if (process.stdout.isTTY || process.argv.includes('--welcome')) {
    process.stdout.write(`\n${made} Keep its key; it is said only now:\n  ${first.key}\n\n`);
    return;
  }
  const file = join(dataDir, `${first.principal}.key`);
  mkdirSync(dataDir, { recursive: true });
  // A file that is there would keep its rights, and a link would be followed.
  rmSync(file, { force: true });
  writeFileSync(file, `${first.key}\n`, { mode: 0o600, flag: 'wx' });
  process.stdout.write(`${made} Its key is in ${file}: move it to a safe place.\n`);
}
