import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** Clock ticks per second of /proc on Linux. */
const TICKS = 100;

export interface Usage {
  /** Share of one core, 1 = a whole one. */
  readonly cores: number;
  /** Resident bytes at the end. */
  readonly rss: number;
}

/** What a process uses over a while (Linux only). */
export async function processUsage(pid: number, seconds: number): Promise<Usage> {
  const before = await cpuSeconds(pid);
  const start = performance.now();
  await pause(seconds * 1000);
  const elapsed = (performance.now() - start) / 1000;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const rss = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * 1024;
  return { cores: ((await cpuSeconds(pid)) - before) / elapsed, rss };
}

async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // Fields 14 and 15 (user and system time), counted behind the name, which may contain blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
