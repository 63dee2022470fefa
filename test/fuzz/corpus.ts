import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Find } from './fuzz.js';

const FOLDER = join('test', 'fuzz', 'corpus');

/** Finds that are kept as regressions, by the names of their files. */
export function readCorpus(): readonly (Find & { readonly name: string })[] {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return files.map((name) => ({ name, ...(JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Find) }));
}

/** Returns the path of the file. The same bytes get the same name. */
export function keep(find: Find): string {
  mkdirSync(FOLDER, { recursive: true });
  const digest = createHash('sha256').update(find.chunks.join()).digest('hex').slice(0, 12);
  const file = join(FOLDER, `${find.transport}-${digest}.json`);
  writeFileSync(file, `${JSON.stringify(find, null, 2)}\n`);
  return file;
}
