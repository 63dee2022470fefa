import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { freePort } from '../harness/ports.js';
import { TcpProxy } from '../harness/tcp-proxy.js';

/** Room for what a bench writes, of which little is kept. */
export const ETCD_FLAGS: readonly string[] = [
  ...['--quota-backend-bytes', String(8 * 1024 ** 3)],
  ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1m'],
];

/** As the service starts its own etcd, and as its manifests do: what an operator has. */
export const OPERATED_FLAGS: readonly string[] = [
  ...['--quota-backend-bytes', String(8 * 1024 ** 3)],
  ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '10m'],
];

/**
 * Followers that are kept waiting for the processor call no election: on a machine that is full, which is what is measured,
 * etcd's 1 s would have the naive peer lose its leader and its devices. The work of a healthy cluster is the same.
 */
const ELECTION = ['--pre-vote', '--election-timeout', '3000'];

/**
 * A cluster of real members. A client of any one reaches it.
 * @param between milliseconds that a message takes from one member to another, by proxies of this process
 */
export async function startBenchMembers(count: number, between = 0): Promise<EtcdServer[]> {
  const listening = await Promise.all(Array.from({ length: count }, freePort));
  const peers = between === 0 ? listening : await Promise.all(listening.map((port) => farPort(port, between)));
  const url = (port: number | undefined): string => `http://127.0.0.1:${port}`;
  const cluster = peers.map((port, i) => `m${i}=${url(port)}`).join(',');
  const starting = peers.map((port, i) => {
    const urls = ['--listen-peer-urls', url(listening[i]), '--initial-advertise-peer-urls', url(port)];
    const own = ['--name', `m${i}`, ...urls];
    return startEtcd({ args: [...ETCD_FLAGS, ...ELECTION, ...own, '--initial-cluster', cluster] });
  });
  const started = await Promise.allSettled(starting);
  const members = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (members.length === count) return members;
  await Promise.all(members.map((member) => member.stop()));
  throw new Error(`only ${members.length} of ${count} members of etcd have started`);
}

/** The proxies end with the process. */
async function farPort(target: number, latencyMs: number): Promise<number> {
  const proxy = await TcpProxy.start(target);
  proxy.latency(latencyMs);
  return proxy.port;
}
