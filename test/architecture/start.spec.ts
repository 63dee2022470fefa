import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';

/** What is loaded at once with a file: packages, and files of ours. Types and imports of a later time are not. */
function loadedWith(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  const imports = /^(?:import|export) (?!type )(?:[^;]*? from )?'([^']+)'/gm;
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(imports)) {
    if (name.startsWith('.')) loadedWith(normalize(join(file, '..', name.replace(/js$/, 'ts'))), found);
    else if (!name.startsWith('node:')) found.add(name);
  }
  return found;
}

it('a node reads its configuration before it loads a server: a refusal and --version come at once', () => {
  const packages = [...loadedWith('src/main.ts')].filter((name) => !name.startsWith('src/'));
  expect(packages.sort()).toEqual(['fastest-levenshtein', 'pino', 'pino-pretty']);
  expect(loadedWith('src/run-node.ts')).toContain('@nestjs/core');
});
