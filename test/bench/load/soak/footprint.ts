import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdServer } from '../../../harness/etcd.js';
import { anonymousBytes, cpuSeconds, residentBytes, writtenBytes } from '../process-usage.js';

/** Milliseconds from one look at the memory to the next. */
const EVERY_MS = 5_000;
const MIB = 1024 ** 2;

/** What node and etcd held on average while it was looked at, in MiB, and what they used. */
export interface Footprint extends Held {
  /** Seconds of processor in a second. */
  readonly nodeCores: number;
  readonly etcdCores: number;
  /** KiB a second that etcd wrote to its disk. */
  readonly written: number;
}

interface Held {
  readonly node: number;
  /** Of etcd without the pages of its file, which the system takes back when it needs them. */
  readonly etcdOwn: number;
  readonly etcd: number;
  /** File of etcd, and what of it is in use. */
  readonly file: number;
  readonly inUse: number;
}

/** @param ends milliseconds of `performance.now()` */
export async function footprint(node: number, etcd: EtcdServer, ends: number): Promise<Footprint> {
  const looks: Held[] = [];
  const used = (): number[] => [cpuSeconds(node), cpuSeconds(etcd.pid), writtenBytes(etcd.pid) / 1024];
  const [before, start] = [used(), performance.now()];
  do {
    // A look at which etcd does not answer is left out: that it does not is for the requests to find.
    const status = await etcd.client.maintenance.status().catch(() => null);
    if (status !== null)
      looks.push({
        node: residentBytes(node) / MIB,
        etcdOwn: anonymousBytes(etcd.pid) / MIB,
        etcd: residentBytes(etcd.pid) / MIB,
        file: Number(status.dbSize) / MIB,
        inUse: Number(status.dbSizeInUse) / MIB,
      });
    await pause(Math.max(0, Math.min(EVERY_MS, ends - performance.now())));
  } while (performance.now() < ends);
  const seconds = (performance.now() - start) / 1000;
  const [nodeCores = 0, etcdCores = 0, written = 0] = used().map((each, i) => (each - (before[i] ?? 0)) / seconds);
  const mean = (what: keyof Held): number => looks.reduce((sum, look) => sum + look[what], 0) / looks.length;
  const etcdMeans = { etcdOwn: mean('etcdOwn'), etcd: mean('etcd'), file: mean('file'), inUse: mean('inUse') };
  return { node: mean('node'), ...etcdMeans, nodeCores, etcdCores, written };
}
