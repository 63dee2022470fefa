import { execFileSync } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, compile } from './compile.js';

/**
 * The last revision whose MQTT door is aedes. Its naive, redis and echo peers are yardsticks that no later gain at the
 * doors moves; its own service is the revision that an update's cost is paired with.
 */
export const FROZEN = '0f08e57';

export const NOT_FROZEN =
  `without the frozen peers: this clone has no commit ${FROZEN}, or the packages of that revision are gone; ` +
  'a shallow clone gets its commits with `git fetch --unshallow`';

/** What the service of that revision asks of node_modules and the present one need not. */
const PACKAGES = ['aedes', 'etcd3', 'ioredis', 'mqtt'];

/**
 * The service and the peers of that revision as plain JavaScript, compiled once and kept.
 * @returns their folder, or null where they cannot be had
 */
export function compileFrozen(root: string): string | null {
  if (!hasCommit(root) || !PACKAGES.every((name) => existsSync(join(root, 'node_modules', name)))) return null;
  const kept = join(cacheFolder(root), `umbra-bench-frozen-${FROZEN}`);
  if (existsSync(kept)) return kept;
  const made = compile(root, FROZEN);
  try {
    renameSync(made, kept);
  } catch (error) {
    // Another run was faster.
    if (!existsSync(kept)) throw error;
  }
  return kept;
}

function hasCommit(root: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${FROZEN}^{commit}`], { cwd: root, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
