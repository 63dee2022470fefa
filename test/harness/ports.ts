import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeLoopbackPort } from '../../src/store/local-etcd/loopback-port.js';
import { claim } from './claim.js';

/** One file per port that a test process has taken; it holds the id of that process. */
const CLAIMS = join(tmpdir(), 'umbra-test-ports');

/**
 * A free port on loopback outside 32768-60999. No other living test process gets the same one, whether it belongs to
 * this run of Jest or to another: two test runs once talked to the same etcd.
 */
export async function freePort(): Promise<number> {
  mkdirSync(CLAIMS, { recursive: true });
  return freeLoopbackPort((port) => claim(join(CLAIMS, String(port))));
}

/**
 * Whether the listener on a TCP port is the process `pid` or one that it started. Where there is no /proc (macOS) it
 * cannot be told, and the answer is true.
 */
export function listenerIsOurs(port: number, pid: number): boolean {
  const sockets = listeningSockets(port);
  if (sockets === null) return true;
  const family = withDescendants(pid);
  return sockets.size > 0 && [...sockets].every((inode) => family.some((member) => holds(member, inode)));
}

/** Inodes of the sockets that listen on the port, or null without /proc. */
function listeningSockets(port: number): Set<string> | null {
  const inodes = new Set<string>();
  let tables = 0;
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    let text: string;
    try {
      text = readFileSync(table, 'utf8');
    } catch {
      continue;
    }
    tables++;
    for (const line of text.split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      // proc(5): state 0A is LISTEN; addresses are in hex.
      if (state === '0A' && inode !== undefined && parseInt(local?.split(':')[1] ?? '', 16) === port) inodes.add(inode);
    }
  }
  return tables === 0 ? null : inodes;
}

function holds(pid: number, inode: string): boolean {
  const folder = `/proc/${pid}/fd`;
  try {
    return readdirSync(folder).some((fd) => linkOf(join(folder, fd)) === `socket:[${inode}]`);
  } catch {
    return false;
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

function withDescendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(Number(entry));
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const family = [pid];
  for (let next = 0; next < family.length; next++) family.push(...(children.get(family[next] as number) ?? []));
  return family;
}

function parentOf(pid: number): number | null {
  try {
    // proc(5): the command may hold spaces and brackets, so fields are counted from its closing bracket.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return Number(fields[1]);
  } catch {
    return null;
  }
}
