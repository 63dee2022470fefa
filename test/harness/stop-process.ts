import { kill } from 'node:process';
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds for all threads of a process to stop. */
const STOPS_MS = 5_000;

/**
 * SIGSTOP, and returns when every thread has stopped: until then one on another core may still answer. Only waits where
 * there is /proc.
 */
export function stopProcess(pid: number): void {
  kill(pid, 'SIGSTOP');
  const deadline = performance.now() + STOPS_MS;
  while (!isStopped(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} did not stop within ${STOPS_MS / 1000} s`);
  }
}

function isStopped(pid: number): boolean {
  return statesOf(pid).every((state) => state === 'T');
}

/** The state of each of its threads, as far as there are any. No errors. */
function statesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      // The name before the state may hold anything, parentheses included.
      return stat[stat.lastIndexOf(')') + 2] ?? '';
    });
  } catch (error) {
    // A thread that has ended meanwhile: the next look tells of the others.
    return (error as NodeJS.ErrnoException).path === `/proc/${pid}/task` ? [] : [''];
  }
}
