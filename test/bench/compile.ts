import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { transformSync, type Options } from '@swc/core';

const FOLDERS = ['src', 'test/bench', 'test/harness'];

/**
 * Every source that a bench needs as plain JavaScript, in a cache folder from which node_modules is found.
 * @param revision of git, taken whole instead of the working tree: its peers know its sources
 * @returns the folder; it holds src/ and test/ as the repository does
 */
export function compile(root: string, revision?: string): string {
  // A folder for each run: two may go on at once, of different sources.
  const out = mkdtempSync(join(cacheFolder(root), 'umbra-bench-'));
  process.once('exit', () => rmSync(out, { recursive: true, force: true }));
  const other = revision === undefined ? null : checkOut(root, revision);
  const settings = JSON.parse(readFileSync(join(root, '.swcrc'), 'utf8')) as Options;
  for (const folder of FOLDERS) {
    const from = join(other ?? root, folder);
    for (const name of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
      if (!/\.(?:ts|proto)$/.test(name) || name.endsWith('.spec.ts')) continue;
      const filename = join(from, name);
      const target = join(out, folder, name.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      if (name.endsWith('.proto')) {
        copyFileSync(filename, target);
        continue;
      }
      // Source maps would only cost the measured processes time.
      const options = { ...settings, swcrc: false, sourceMaps: false, filename } as const;
      writeFileSync(target, transformSync(readFileSync(filename, 'utf8'), options).code);
    }
  }
  // Node looks no further than the nearest node_modules for the kind of module.
  writeFileSync(join(out, 'package.json'), '{"type":"module"}\n');
  if (other !== null) rmSync(other, { recursive: true });
  return out;
}

export function cacheFolder(root: string): string {
  const cache = join(root, 'node_modules', '.cache');
  // After `npm ci` there is none.
  mkdirSync(cache, { recursive: true });
  return cache;
}

function checkOut(root: string, revision: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'umbra-bench-'));
  const tar = execFileSync('git', ['archive', revision, ...FOLDERS], { cwd: root, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['-x', '-C', folder], { input: tar });
  return folder;
}
