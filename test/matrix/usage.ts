import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cpuSeconds, residentBytes } from '../bench/load/process-usage.js';
import type { Servers } from './servers.js';

/** By what the processes are. */
export type ByGroup = Readonly<Record<string, number>>;

export interface Usage {
  /** Microseconds of processor. */
  readonly cpuMicros: ByGroup;
  /** Bytes that the kernel has sent to the disk. */
  readonly diskBytes: ByGroup;
  /** Bytes between the hosts, headers included; null: servers have no hosts of their own. */
  readonly networkBytes: number | null;
}

/** What all processes have used so far (Linux only). */
export function usageOf(servers: Servers): Usage {
  const pids = processes(servers);
  return {
    cpuMicros: summed(pids, (pid) => cpuSeconds(pid) * 1e6),
    diskBytes: summed(pids, diskBytes),
    networkBytes: networkBytes(servers),
  };
}

export function usedPer(before: Usage, after: Usage, updates: number): Usage {
  const share = (from: ByGroup, to: ByGroup): ByGroup =>
    Object.fromEntries(Object.keys(to).map((name) => [name, ((to[name] ?? 0) - (from[name] ?? 0)) / updates]));
  const network =
    before.networkBytes === null || after.networkBytes === null
      ? null
      : (after.networkBytes - before.networkBytes) / updates;
  return {
    cpuMicros: share(before.cpuMicros, after.cpuMicros),
    diskBytes: share(before.diskBytes, after.diskBytes),
    networkBytes: network,
  };
}

/** Resident bytes of the servers; of this process what is in use once its garbage is collected. */
export function memoryOf(servers: Servers): ByGroup {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return { ...summed(servers.pids(), residentBytes), node: heapUsed + external };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What the first time finds to be finalised goes with the second.
  collect();
  collect();
}

const processes = (servers: Servers): Readonly<Record<string, readonly number[]>> => ({
  ...servers.pids(),
  node: [process.pid],
});

const summed = (pids: Readonly<Record<string, readonly number[]>>, of: (pid: number) => number): ByGroup =>
  Object.fromEntries(Object.entries(pids).map(([name, list]) => [name, list.reduce((sum, pid) => sum + of(pid), 0)]));

function diskBytes(pid: number): number {
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  return Number(/^write_bytes: (\d+)/m.exec(io)?.[1] ?? Number.NaN);
}

/** What hosts and this process have sent over the bridge; with a Redis beside etcd also what goes through loopback to it. */
function networkBytes({ spaces, beside }: Servers): number | null {
  if (!spaces) return null;
  const counter = (device: string, name: string): number =>
    Number(readFileSync(`/sys/class/net/${device}/statistics/${name}`, 'utf8'));
  const sent = spaces.links.reduce((sum, link) => sum + counter(link, 'rx_bytes'), counter(spaces.bridge, 'tx_bytes'));
  return beside ? sent + counter('lo', 'tx_bytes') : sent;
}
