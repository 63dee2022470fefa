import { existsSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';

const LIBRARIES = ['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu/faketime/libfaketime.so.1`);

/** The library, installed where that is possible, or null. */
function library(): string | null {
  const found = LIBRARIES.find(existsSync);
  if (found !== undefined || process.getuid?.() !== 0) return found ?? null;
  spawnSync('apt-get', ['install', '-y', 'faketime'], { stdio: 'ignore' });
  return LIBRARIES.find(existsSync) ?? null;
}

let known: string | null | undefined;

/** Whether the clock of a process can be moved here: needs libfaketime (Debian: faketime). */
export function canMoveClock(): boolean {
  return (known ??= library()) !== null;
}

/**
 * Variables that let the wall clock of a process follow a file. It is done from outside, below the process: the service
 * has no switch for it. The monotonic clock stays true, so timers run as they should.
 * @throws Error without libfaketime
 */
export function fakeClock(file: string): Record<string, string> {
  if (!canMoveClock()) throw new Error('moving the clock needs libfaketime');
  return {
    LD_PRELOAD: known as string,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
}

/** Sets the clock that follows `file`, in seconds from the true one. */
export function moveClock(file: string, seconds: number): void {
  writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
}
