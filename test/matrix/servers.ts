import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startRedis, type RedisServer } from '../harness/redis.js';
import { startSentinelCluster, type SentinelCluster } from '../harness/redis-sentinel.js';
import { ETCD_FLAGS, startBenchMembers } from '../bench/members.js';
import { Namespaces } from '../faults/faults/namespaces.js';
import { freePort } from '../harness/ports.js';
import { SmallDisk } from './small-disk.js';

/** What a column runs on. */
export interface Servers {
  readonly etcd: readonly EtcdServer[];
  readonly redis: SentinelCluster | null;
  /** The Redis beside etcd, which holds nothing of its own. */
  readonly beside: RedisServer | null;
  readonly spaces: Namespaces | null;
  /** One for each host, where they were asked for. */
  readonly disks: readonly SmallDisk[];
  readonly timers: Timers;
  /** Of a node, other than the one that goes with the timers. */
  readonly callTimeoutMs?: number;
  /** Process ids by what they are. */
  pids(): Readonly<Record<string, readonly number[]>>;
  stop(): Promise<void>;
}

/** `steady`: nobody takes anybody for dead only because the processor is busy, which is what a load is for. */
export type Timers = 'default' | 'fast' | 'steady';

export interface Place {
  /** Each member and each server on a host of its own, with an address and rules; else all on loopback. */
  readonly apart: boolean;
  /** Milliseconds from one member to another, and from the primary to a replica, by proxies. */
  readonly between?: number;
  /** 1: one member, or one Redis without replicas and sentinels. */
  readonly hosts?: 1 | 3;
  readonly timers?: Timers;
  /** Megabytes of the disk of each host; absent: the disk of this machine. */
  readonly disk?: number;
}

export interface Needs {
  readonly storage: 'etcd' | 'redis';
  readonly beside: boolean;
  readonly minReplicas?: number;
  /** It cannot write where there is no replica. */
  readonly replica?: boolean;
}

/** Milliseconds: between heartbeats of etcd, until its election, and until a sentinel takes a primary for dead. */
const TIMES = {
  default: { heartbeat: 100, election: 1_000, downAfter: 1_000 },
  fast: { heartbeat: 30, election: 300, downAfter: 300 },
  steady: { heartbeat: 100, election: 3_000, downAfter: 10_000 },
} as const satisfies Record<Timers, object>;

/** Milliseconds of one call to a member that go with them. */
export const CALL_TIMEOUT_MS: Readonly<Record<Timers, number>> = { default: 1_000, fast: 300, steady: 1_000 };

/** @throws Error when something does not start; then nothing is left */
export async function startServers(needs: Needs, place: Place): Promise<Servers> {
  const ends: (() => Promise<unknown> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const spaces = place.apart ? Namespaces.create(place.hosts ?? 3) : null;
    if (spaces) ends.push(() => spaces.stop());
    const disks = mountDisks(place, ends);
    const etcd = needs.storage === 'etcd' ? await startMembers(spaces, place, disks) : [];
    ends.push(() => Promise.all(etcd.map((member) => member.kill9().then(() => member.stop()))));
    const redis = needs.storage === 'redis' ? await startSentinels(spaces, place, disks, needs.minReplicas) : null;
    if (redis) ends.push(() => redis.stop());
    const beside = needs.beside ? await startRedis() : null;
    if (beside) ends.push(() => beside.kill9().then(() => beside.stop()));
    const pids = () => ({
      ...(etcd.length > 0 && { etcd: etcd.map(({ pid }) => pid) }),
      ...(redis && { redis: redis.servers.map(({ pid }) => pid) }),
      ...(redis && redis.sentinels.length > 0 && { sentinels: redis.sentinels.map(({ pid }) => pid) }),
      ...(beside && { redis: [beside.pid] }),
    });
    return { etcd, redis, beside, spaces, disks, timers: place.timers ?? 'default', pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function mountDisks({ disk, hosts = 3 }: Place, ends: (() => void)[]): SmallDisk[] {
  if (disk === undefined) return [];
  const folder = mkdtempSync(join(tmpdir(), 'umbra-disks-'));
  return Array.from({ length: hosts }, (_, i) => {
    const mounted = SmallDisk.mount(join(folder, String(i)), disk);
    ends.push(() => mounted.stop());
    return mounted;
  });
}

async function startMembers(
  spaces: Namespaces | null,
  { between = 0, hosts = 3, timers = 'default' }: Place,
  disks: readonly SmallDisk[],
): Promise<EtcdServer[]> {
  if (!spaces && between > 0) return startBenchMembers(hosts, between);
  const peers = await Promise.all(Array.from({ length: hosts }, freePort));
  const address = (i: number): string => spaces?.address(i) ?? '127.0.0.1';
  const url = (i: number): string => `http://${address(i)}:${peers[i]}`;
  const cluster = peers.map((_, i) => `m${i}=${url(i)}`).join(',');
  const { heartbeat, election } = TIMES[timers];
  const starting = peers.map((_, i) =>
    startEtcd({
      ...{ host: address(i), through: spaces?.prefix(i) ?? [] },
      ...(disks[i] && { dataDir: join(disks[i].path, 'etcd') }),
      // Readers of a fault read again from its beginning.
      args: [
        ...(timers === 'steady' ? ETCD_FLAGS : []),
        '--name',
        `m${i}`,
        '--initial-cluster',
        cluster,
        '--listen-peer-urls',
        url(i),
      ].concat(
        ...['--initial-advertise-peer-urls', url(i), '--pre-vote'],
        ...['--heartbeat-interval', String(heartbeat), '--election-timeout', String(election)],
      ),
    }),
  );
  const started = await Promise.allSettled(starting);
  const members = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (members.length === peers.length) return members;
  await Promise.all(members.map((member) => member.stop()));
  throw new Error(`only ${members.length} of ${peers.length} members of etcd have started`);
}

function startSentinels(
  spaces: Namespaces | null,
  { between = 0, hosts = 3, timers = 'default' }: Place,
  disks: readonly SmallDisk[],
  minReplicas: number | undefined,
): Promise<SentinelCluster> {
  return startSentinelCluster({
    ...{ hosts, downAfterMs: TIMES[timers].downAfter },
    ...(minReplicas === undefined || hosts === 1 ? {} : { minReplicas }),
    ...(between === 0 ? {} : { between }),
    ...(disks.length > 0 && { folder: (i: number) => disks[i]?.path ?? '' }),
    ...(spaces && { host: (i: number) => ({ address: spaces.address(i), through: spaces.prefix(i) }) }),
  });
}
