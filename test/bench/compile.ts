import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transformSync, type Options } from '@swc/core';

const FOLDERS = ['src', 'test/bench', 'test/harness'];

/**
 * Every source that a bench needs as plain JavaScript, in a cache folder from which node_modules is found.
 * @returns the folder; it holds src/ and test/ as the repository does
 */
export function compile(root: string): string {
  const out = join(root, 'node_modules', '.cache', 'umbra-bench');
  rmSync(out, { recursive: true, force: true });
  const settings = JSON.parse(readFileSync(join(root, '.swcrc'), 'utf8')) as Options;
  for (const folder of FOLDERS) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.endsWith('.spec.ts')) continue;
      const filename = join(root, folder, name);
      const target = join(out, folder, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      // Source maps would only cost the measured processes time.
      const options = { ...settings, swcrc: false, sourceMaps: false, filename } as const;
      writeFileSync(target, transformSync(readFileSync(filename, 'utf8'), options).code);
    }
  }
  // Node looks no further than the nearest node_modules for the kind of module.
  writeFileSync(join(out, 'package.json'), '{"type":"module"}\n');
  return out;
}
