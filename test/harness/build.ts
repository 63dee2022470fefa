import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const ROOT = process.cwd();
const LOCK = join(ROOT, 'node_modules', '.cache', 'umbra-e2e-build');
/** A lock says whose it is in the same moment; older than this many milliseconds and without an owner, its process died there. */
const NAMELESS_MS = 10_000;

/**
 * The program to run as a node: dist/main.js, built when a source is newer, by one Jest worker for all of them.
 * UMBRA_E2E_MAIN names another build to test, as it is.
 */
export async function builtMain(): Promise<string> {
  const given = process.env['UMBRA_E2E_MAIN'];
  if (given) return given;
  const main = join(ROOT, 'dist', 'main.js');
  while (!isCurrent(main)) {
    if (takeLock()) {
      try {
        if (!isCurrent(main)) build();
      } finally {
        rmSync(LOCK, { force: true });
      }
      return main;
    }
    await pause(200);
  }
  return main;
}

function isCurrent(main: string): boolean {
  return existsSync(main) && !existsSync(LOCK) && statSync(main).mtimeMs >= newestSource(join(ROOT, 'src'));
}

function newestSource(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.endsWith('.spec.ts'))
    .map((name) => statSync(join(folder, name)))
    .reduce((newest, file) => (file.isFile() ? Math.max(newest, file.mtimeMs) : newest), 0);
}

function takeLock(): boolean {
  mkdirSync(join(LOCK, '..'), { recursive: true });
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (isAbandoned()) rmSync(LOCK, { force: true });
    return false;
  }
}

/** A build on a busy machine takes minutes: only the end of its process says that nobody builds any more. */
function isAbandoned(): boolean {
  try {
    const age = Date.now() - statSync(LOCK).mtimeMs;
    const owner = Number(readFileSync(LOCK, 'utf8'));
    return owner > 0 ? !isRunning(owner) : age > NAMELESS_MS;
  } catch {
    // It was given back meanwhile.
    return false;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function build(): void {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '-s', 'build'], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm run build failed:\n${stdout}\n${stderr}`);
}
