import { startEtcd, type EtcdServer } from './etcd.js';
import { freePort } from './ports.js';

/** A cluster of real members. A client of any one reaches it. */
export async function startMembers(count: number): Promise<EtcdServer[]> {
  const peers = await Promise.all(Array.from({ length: count }, freePort));
  const url = (port: number | undefined): string => `http://127.0.0.1:${port}`;
  const cluster = peers.map((port, i) => `m${i}=${url(port)}`).join(',');
  return Promise.all(
    peers.map((port, i) => {
      const args = ['--name', `m${i}`, '--initial-cluster', cluster, '--listen-peer-urls', url(port)];
      return startEtcd({ args: [...args, '--initial-advertise-peer-urls', url(port), '--pre-vote'] });
    }),
  );
}
