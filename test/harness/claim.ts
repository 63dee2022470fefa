import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/**
 * Takes what a file stands for, among all test processes of the machine. The file holds the id of the process that has it,
 * and counts as long as that runs, however long it takes: a build on a busy machine takes minutes.
 * @returns false: another living process has it
 */
export function claim(file: string): boolean {
  for (const attempt of ['first', 'after a dead owner']) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return true;
    } catch {
      if (attempt === 'first' && !ownerIsDead(file)) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

function ownerIsDead(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // An empty file belongs to a process that is just writing it.
    return pid > 0 && !exists(pid);
  } catch {
    return false;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
