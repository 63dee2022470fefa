import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { claim } from './claim.js';

const ROOT = process.cwd();
const LOCK = join(ROOT, 'node_modules', '.cache', 'umbra-e2e-build');

let built: Promise<string> | null = null;

/**
 * The program to run as a node: dist/main.js, built when a source is newer, by one Jest worker for all of them.
 * UMBRA_E2E_MAIN names another build to test, as it is.
 */
export function builtMain(): Promise<string> {
  const given = process.env['UMBRA_E2E_MAIN'];
  return given ? Promise.resolve(given) : (built ??= build());
}

/** Nobody looks at dist while somebody else builds it: a build begins by emptying it. */
async function build(): Promise<string> {
  mkdirSync(dirname(LOCK), { recursive: true });
  while (!claim(LOCK)) await pause(200);
  try {
    const args = [join('src', 'launcher', 'build.mjs'), '--when-changed'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the build failed:\n${stdout}\n${stderr}`);
  } finally {
    rmSync(LOCK, { force: true });
  }
  return join(ROOT, 'dist', 'main.js');
}
