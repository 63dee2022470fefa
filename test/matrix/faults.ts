import { askRedis } from '../harness/redis-sentinel.js';
import { ADAPTER_STOPPED, REDIS_LOST, STREAM_TRIMMED } from './hybrid-faults.js';
import type { OpenColumn } from './open-column.js';
import type { Servers, Timers } from './servers.js';

/** What a fault happens to. */
export interface Scene {
  readonly servers: Servers;
  readonly leader: number;
  /** The first node. */
  readonly node: OpenColumn;
}

/** Heals the fault, and says what else it has shown. */
export type Heal = () => Promise<string | void>;

export interface MatrixFault {
  /** As `--rows` has it. */
  readonly row: string;
  /** What the report calls it; "leader" is the primary of Redis, too. */
  readonly name: string;
  readonly needs?: 'hosts' | 'disks';
  readonly timers?: Timers;
  /** Columns that have what it breaks; absent: all. */
  readonly only?: readonly string[];
  readonly apply: (scene: Scene) => Promise<Heal>;
}

/** Megabytes of a disk that is to be filled: the log of etcd takes 128 of them at once. */
export const SMALL_DISK = 384;
/** Share of the packets between the leader and its peers that are lost, each way. */
const LOSS = 0.05;
/** What the leader sends, answers to clients included, is no faster, and waits no longer. */
const SLOW_LINK = ['rate', '8mbit', 'burst', '16kb', 'latency', '100ms'];

const drop = (chain: string, flag: string, address: string): string[] => ['-A', chain, flag, address, '-j', 'DROP'];

/** The leader hears and reaches none of its peers; `clients`: nobody else either. */
function cut(clients: boolean): MatrixFault['apply'] {
  return async ({ servers, leader }) => {
    const spaces = hostsOf(servers);
    const peers = peersOf(leader).map((i) => spaces.address(i));
    for (const address of clients ? [...peers, spaces.here] : peers) {
      spaces.iptables(leader, ...drop('INPUT', '-s', address));
      spaces.iptables(leader, ...drop('OUTPUT', '-d', address));
    }
    return async () => spaces.flush(leader);
  };
}

const peersOf = (leader: number): number[] => [0, 1, 2].filter((i) => i !== leader);

function hostsOf({ spaces }: Servers): NonNullable<Servers['spaces']> {
  if (!spaces) throw new Error('no hosts of their own');
  return spaces;
}

const killed: MatrixFault['apply'] = async ({ servers: { etcd, redis }, leader }) => {
  const member = etcd[leader];
  const server = redis?.servers[leader];
  await Promise.all([member?.kill9(), server?.kill9()]);
  return async () => void (await Promise.all([member?.restart(), server?.start()]));
};

const SPLIT = 'leader cut from its peers, reached by clients';

export const FAULTS: readonly MatrixFault[] = [
  { row: 'split-brain', name: SPLIT, needs: 'hosts', apply: cut(false) },
  { row: 'killed', name: 'leader killed', apply: killed },
  { row: 'killed-fast', name: 'leader killed, fast timers', timers: 'fast', apply: killed },
  { row: 'split-brain-fast', name: `${SPLIT}, fast timers`, needs: 'hosts', timers: 'fast', apply: cut(false) },
  {
    ...{ row: 'stopped', name: 'leader stopped' },
    async apply({ servers: { etcd, redis }, leader }) {
      etcd[leader]?.pause();
      redis?.servers[leader]?.pause();
      return async () => {
        etcd[leader]?.resume();
        redis?.servers[leader]?.resume();
      };
    },
  },
  { row: 'cut-off', name: 'leader cut from everybody', needs: 'hosts', apply: cut(true) },
  { row: 'lossy', name: 'slow and lossy link of the leader', needs: 'hosts', apply: lossy },
  {
    ...{ row: 'restart', name: 'everything killed and started again' },
    async apply({ servers: { etcd, redis, beside } }) {
      const all = [...(redis?.servers ?? []), ...(redis?.sentinels ?? []), ...(beside ? [beside] : [])];
      await Promise.all([...etcd, ...all].map((each) => each.kill9()));
      await Promise.all([...etcd.map((each) => each.restart()), ...all.map((each) => each.start())]);
      return async () => undefined;
    },
  },
  { row: 'full-disk', name: 'disk of the leader full', needs: 'disks', apply: full },
  {
    ...{ row: 'redis-lost', name: 'Redis beside etcd lost, with all that it had', only: ['hybrid'] },
    apply: REDIS_LOST,
  },
  { ...{ row: 'adapter-stopped', name: 'adapter stopped', only: ['hybrid'] }, apply: ADAPTER_STOPPED },
  { ...{ row: 'stream-trimmed', name: 'stream trimmed past a reader', only: ['hybrid'] }, apply: STREAM_TRIMMED },
];

async function lossy({ servers, leader }: Scene): Promise<Heal> {
  const spaces = hostsOf(servers);
  const random = ['-m', 'statistic', '--mode', 'random', '--probability', String(LOSS), '-j', 'DROP'];
  for (const address of peersOf(leader).map((i) => spaces.address(i))) {
    spaces.iptables(leader, '-A', 'INPUT', '-s', address, ...random);
    spaces.iptables(leader, '-A', 'OUTPUT', '-d', address, ...random);
  }
  const device = spaces.device(leader);
  spaces.run(leader, 'tc', 'qdisc', 'add', 'dev', device, 'root', 'tbf', ...SLOW_LINK);
  return async () => {
    spaces.run(leader, 'tc', 'qdisc', 'del', 'dev', device, 'root');
    spaces.flush(leader);
  };
}

async function full({ servers: { disks, etcd, redis }, leader }: Scene): Promise<Heal> {
  const disk = disks[leader];
  if (!disk) throw new Error('no disks of their own');
  disk.fill();
  return async () => {
    disk.free();
    const member = etcd[leader];
    const server = redis?.servers[leader];
    const hasEnded = !isRunning((member ?? server)?.pid ?? -1);
    if (hasEnded) await Promise.all([member?.restart(), server?.start()]);
    return hasEnded ? 'the leader ended by itself when its disk was full' : 'the leader did not end';
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

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
