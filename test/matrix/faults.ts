import { askRedis } from '../harness/redis-sentinel.js';
import type { Servers } from './servers.js';

export interface MatrixFault {
  /** What the report calls it; "leader" is the primary of Redis, too. */
  readonly name: string;
  readonly needsHosts: boolean;
  /** @returns what heals it */
  readonly apply: (servers: Servers, leader: number) => Promise<() => Promise<void>>;
}

const drop = (chain: string, flag: string, address: string): string[] => ['-A', chain, flag, address, '-j', 'DROP'];

/** The leader hears and reaches none of its peers; `clients`: nobody else either. */
function cut(clients: boolean): MatrixFault['apply'] {
  return async ({ spaces }, leader) => {
    if (!spaces) throw new Error('no hosts of their own');
    const peers = [0, 1, 2].filter((i) => i !== leader).map((i) => spaces.address(i));
    for (const address of clients ? [...peers, spaces.here] : peers) {
      spaces.iptables(leader, ...drop('INPUT', '-s', address));
      spaces.iptables(leader, ...drop('OUTPUT', '-d', address));
    }
    return async () => spaces.flush(leader);
  };
}

export const FAULTS: readonly MatrixFault[] = [
  {
    ...{ name: 'leader cut from its peers, reached by clients', needsHosts: true, apply: cut(false) },
  },
  {
    name: 'leader killed',
    needsHosts: false,
    async apply({ etcd, redis }, leader) {
      const member = etcd[leader];
      const server = redis?.servers[leader];
      await Promise.all([member?.kill9(), server?.kill9()]);
      return async () => void (await Promise.all([member?.restart(), server?.start()]));
    },
  },
  {
    name: 'leader stopped',
    needsHosts: false,
    async apply({ etcd, redis }, leader) {
      etcd[leader]?.pause();
      redis?.servers[leader]?.pause();
      return async () => {
        etcd[leader]?.resume();
        redis?.servers[leader]?.resume();
      };
    },
  },
  { name: 'leader cut from everybody', needsHosts: true, apply: cut(true) },
];

/** The leading member, or the primary that most sentinels name; null: none now. */
export async function leaderOf({ etcd, redis }: Servers, except = -1): Promise<number | null> {
  if (redis) return redis.primary().catch(() => null);
  for (const [i, member] of etcd.entries()) {
    if (i === except) continue;
    const status = await member.client.maintenance.status().catch(() => null);
    if (status && status.leader !== '0' && status.leader === status.header.member_id) return i;
  }
  return null;
}

/** Whether every server follows one leader. */
export async function isWhole({ etcd, redis }: Servers): Promise<boolean> {
  if (!redis) {
    const said = await Promise.all(etcd.map((member) => member.client.maintenance.status().catch(() => null)));
    return said.every((status) => status !== null && status.leader !== '0' && status.leader === said[0]?.leader);
  }
  const primary = redis.servers[await redis.primary()];
  const info = primary && (await askRedis(primary, (connection) => connection.info('replication')));
  return (info?.match(/state=online/g) ?? []).length === redis.servers.length - 1;
}
