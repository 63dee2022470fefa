import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startRedis, type RedisServer } from '../harness/redis.js';
import { startSentinelCluster, type SentinelCluster } from '../harness/redis-sentinel.js';
import { startBenchMembers } from '../bench/members.js';
import { Namespaces } from '../faults/faults/namespaces.js';
import { freePort } from '../harness/ports.js';

/** What a column runs on. */
export interface Servers {
  readonly etcd: readonly EtcdServer[];
  readonly redis: SentinelCluster | null;
  /** The Redis beside etcd, which holds nothing of its own. */
  readonly beside: RedisServer | null;
  readonly spaces: Namespaces | null;
  /** Process ids by what they are. */
  pids(): Readonly<Record<string, readonly number[]>>;
  stop(): Promise<void>;
}

export interface Place {
  /** Each member and each server on a host of its own, with an address and rules; else all on loopback. */
  readonly apart: boolean;
  /** Milliseconds from one member to another, and from the primary to a replica, by proxies. */
  readonly between: number;
}

export interface Needs {
  readonly storage: 'etcd' | 'redis';
  readonly beside: boolean;
  readonly minReplicas?: number;
}

/** @throws Error when something does not start; then nothing is left */
export async function startServers({ storage, beside, minReplicas }: Needs, place: Place): Promise<Servers> {
  const ends: (() => Promise<unknown> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const spaces = place.apart ? Namespaces.create(3) : null;
    if (spaces) ends.push(() => spaces.stop());
    const etcd = storage === 'etcd' ? await startMembers(spaces, place.between) : [];
    ends.push(() => Promise.all(etcd.map((member) => member.kill9().then(() => member.stop()))));
    const redis = storage === 'redis' ? await startSentinels(spaces, place.between, minReplicas) : null;
    if (redis) ends.push(() => redis.stop());
    const redisBeside = beside ? await startRedis() : null;
    if (redisBeside) ends.push(() => redisBeside.kill9().then(() => redisBeside.stop()));
    const pids = () => ({
      ...(etcd.length > 0 && { etcd: etcd.map(({ pid }) => pid) }),
      ...(redis && { redis: redis.servers.map(({ pid }) => pid), sentinels: redis.sentinels.map(({ pid }) => pid) }),
      ...(redisBeside && { redis: [redisBeside.pid] }),
    });
    return { etcd, redis, beside: redisBeside, spaces, pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startMembers(spaces: Namespaces | null, between: number): Promise<EtcdServer[]> {
  if (!spaces) return startBenchMembers(3, between);
  const peers = await Promise.all(Array.from({ length: 3 }, freePort));
  const url = (i: number): string => `http://${spaces.address(i)}:${peers[i]}`;
  const cluster = peers.map((_, i) => `m${i}=${url(i)}`).join(',');
  const starting = peers.map((_, i) =>
    startEtcd({
      ...{ host: spaces.address(i), through: spaces.prefix(i) },
      args: ['--name', `m${i}`, '--initial-cluster', cluster, '--listen-peer-urls', url(i)].concat(
        ...['--initial-advertise-peer-urls', url(i), '--pre-vote'],
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
  between: number,
  minReplicas: number | undefined,
): Promise<SentinelCluster> {
  return startSentinelCluster({
    ...(minReplicas === undefined ? {} : { minReplicas }),
    ...(between === 0 ? {} : { between }),
    ...(spaces && { host: (i: number) => ({ address: spaces.address(i), through: spaces.prefix(i) }) }),
  });
}
