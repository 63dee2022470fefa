import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, step, Stop } from './steps.mjs';

const LEAST_NODE = [20, 19];

/** Throws Stop on a Node that is too old. */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return;
  throw new Stop(`Node ${version} is too old: Umbra needs ${LEAST_NODE.join('.')} or newer (https://nodejs.org).`);
}

/** `npm ci` when node_modules is missing or belongs to another package-lock.json. */
export function ensureDependencies(root) {
  const lock = join(root, 'package-lock.json');
  const cache = join(root, 'node_modules', '.cache');
  const stamp = join(cache, 'umbra-dependencies');
  const hash = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(stamp) ? readFileSync(stamp, 'utf8') === hash : installedByHand(root, lock)) return;
  step('installing dependencies (npm ci)', () => {
    run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root });
    mkdirSync(cache, { recursive: true });
    writeFileSync(stamp, hash);
  });
}

/** Whether npm's own record of the installation is at least as new as the lock file. */
function installedByHand(root, lock) {
  const record = statSync(join(root, 'node_modules', '.package-lock.json'), { throwIfNoEntry: false });
  return record !== undefined && record.mtimeMs >= statSync(lock).mtimeMs;
}
