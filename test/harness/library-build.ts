import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { claim } from './claim.js';

const ROOT = process.cwd();
const PACKAGE = join(ROOT, 'src', 'sdk');
const LOCK = join(ROOT, 'node_modules', '.cache', 'umbra-library-build');

let built: Promise<string> | null = null;

/** The folder of the client library as its users get it, built once by each process. */
export function builtLibrary(): Promise<string> {
  return (built ??= build());
}

async function build(): Promise<string> {
  mkdirSync(dirname(LOCK), { recursive: true });
  while (!claim(LOCK)) await pause(200);
  try {
    const { status, stdout, stderr } = spawnSync('npm', ['run', '-s', 'build'], { cwd: PACKAGE, encoding: 'utf8' });
    if (status !== 0) throw new Error(`the build of the client library failed:\n${stdout}\n${stderr}`);
  } finally {
    rmSync(LOCK, { force: true });
  }
  return join(PACKAGE, 'dist');
}
