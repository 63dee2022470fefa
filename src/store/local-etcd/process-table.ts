import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly group: number;
  readonly command: string;
}

/** Every process that this user can see. Bounded by the machine; read only at start. */
export function processTable(): ProcessEntry[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? readEntry(Number(name)) : []));
  }
  return ps(['-axo', 'pid=,pgid=,command=']).flatMap((line) => {
    const [, pid, group, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), group: Number(group), command }];
  });
}

/**
 * The beginning of a process in the format of the system; null when no process has that id. The system reuses ids (in a
 * container every node is process 1), but not an id with its beginning.
 */
export function beginningOf(pid: number): string | null {
  if (process.platform !== 'linux') return ps(['-o', 'lstart=', '-p', String(pid)])[0]?.trim() || null;
  const fields = statFields(pid);
  // proc(5): field 3 is the state (Z is dead, but not yet collected), field 22 the beginning in ticks since boot.
  if (fields === null || fields[0] === 'Z') return null;
  return `${bootId()} ${fields[19] ?? ''}`;
}

/**
 * Names the set of processes that this one can see: each container has its own. Empty when the system has no
 * namespaces.
 */
export function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function readEntry(pid: number): ProcessEntry[] {
  const fields = statFields(pid);
  if (fields === null || fields[0] === 'Z') return [];
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return [{ pid, group: Number(fields[2]), command }];
  } catch {
    return [];
  }
}

/** Fields of /proc/<pid>/stat from the third on: the second, the command, may hold anything, spaces and brackets too. */
function statFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  } catch {
    return null;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function ps(options: string[]): string[] {
  try {
    return execFileSync('ps', options, { encoding: 'utf8', timeout: 5000, maxBuffer: 16 * 1024 * 1024 }).split('\n');
  } catch {
    return [];
  }
}
