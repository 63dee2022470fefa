import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { processTable } from './process-table.js';

/** Seconds that etcd has after SIGTERM before it is killed. It syncs every write before it answers, so nothing is lost. */
export const TERM_SECONDS = 5;

/** Name of the guard in the process table. */
export const GUARD_NAME = 'umbra-etcd-guard';

/** Exit code of a shell for a command that it did not find. */
export const NOT_FOUND = 127;

/** Milliseconds between two reads of the process table while a group ends. */
const END_POLL_MS = 10;

export type Guard = ChildProcessByStdio<Writable, Readable, Readable>;

/**
 * The parent of etcd. Its standard input is a pipe that the node holds open and never writes to: it closes when the
 * node ends, however it ends, and then etcd is stopped. A stop closes the pipe: the same path.
 * - etcd would read ETCD_* variables as flags; only the one that arm64 builds of 3.4 need is kept.
 * - `$watch` and etcd must not hold each other's files: a pipe is closed when its last holder closes it.
 */
const SCRIPT = `
command -v etcd >/dev/null 2>&1 || exit ${NOT_FOUND}
for name in $(env | sed -n 's/^\\(ETCD_[A-Za-z0-9_]*\\)=.*/\\1/p'); do
  [ "$name" = ETCD_UNSUPPORTED_ARCH ] || unset "$name"
done
exec 3<&0 </dev/null
etcd "$@" 3<&- &
etcd=$!
(
  exec >/dev/null 2>&1
  while read -r _ <&3; do :; done
  kill -TERM $etcd
  n=0
  while kill -0 $etcd && [ $n -lt ${TERM_SECONDS} ]; do sleep 1 3<&-; n=$((n + 1)); done
  kill -KILL $etcd
) &
watch=$!
exec 3<&-
wait $etcd
code=$?
kill -KILL $watch 2>/dev/null
exit $code
`;

/**
 * Starts etcd under its guard, in a process group of its own whose id is the guard's: Ctrl-C in the terminal reaches
 * the node only, which drains before it ends etcd.
 */
export function spawnGuard(flags: readonly string[], env?: NodeJS.ProcessEnv): Guard {
  const options = { stdio: ['pipe', 'pipe', 'pipe'] as ['pipe', 'pipe', 'pipe'], detached: true };
  const guard = spawn('/bin/sh', ['-c', SCRIPT, GUARD_NAME, ...flags], env ? { ...options, env } : options);
  // Closing a pipe whose reader has ended is no fault.
  guard.stdin.on('error', () => undefined);
  return guard;
}

/** Kills every process that is left of a guard's group. No errors. */
export function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // The group is empty.
  }
}

/**
 * Kills the remaining processes of a guard's group and waits for their end. A process that has ended, but that its
 * parent has not collected yet, counts as gone.
 * @returns false when a process is left after `ms` milliseconds; no errors
 */
export async function groupEnds(group: number, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  for (;;) {
    killGroup(group);
    if (!processTable().some((entry) => entry.group === group)) return true;
    if (performance.now() > until) return false;
    await pause(END_POLL_MS);
  }
}
