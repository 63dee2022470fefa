import type { Lab, Peer, RunningNode, Side } from '../lab.js';
import { UpdateLoad } from '../load/update-load.js';
import { atLeast, note, perSecond, ratio, type Result } from '../result.js';
import { rawGroupCommit } from './store.js';

interface Options {
  readonly devices: number;
  readonly members: number;
  readonly overNaive: number;
}

/** Updates over the built-in broker, one under way per device: this service and its peers in turn. */
export async function updates(lab: Lab, { devices, members, overNaive }: Options): Promise<Result> {
  const etcd = members === 1 ? [await lab.etcd()] : await lab.members(members);
  const redis = await lab.redis();
  const nodes: Record<Peer, RunningNode> = {
    umbra: await lab.node('umbra', { etcd }),
    naive: await lab.node('naive', { etcd }),
    echo: await lab.node('echo'),
    redis: await lab.node('redis', { redis }),
  };
  const side = async (peer: Peer): Promise<Side> => {
    const { mqttPort, process } = nodes[peer];
    const load = await UpdateLoad.open({ ports: [mqttPort], devices, prefix: peer });
    lab.onEnd(() => load.end());
    const store = peer === 'redis' ? { redis: redis.pid } : peer === 'echo' ? {} : { etcd: etcd[0]?.pid ?? -1 };
    return { run: () => load.run(lab.scale.seconds), pids: { node: process.pid, ...store } };
  };
  const sides = {
    umbra: await side('umbra'),
    naive: await side('naive'),
    echo: await side('echo'),
    redis: await side('redis'),
    raw: await rawGroupCommit(lab, etcd, '/raw/'),
  };
  const found = await lab.alternate(sides);
  return {
    rows: [
      ratio('over naive (get and CAS)', found.umbra, found.naive, perSecond, atLeast(overNaive)),
      ratio('over durable Redis Streams', found.umbra, found.redis, perSecond, atLeast(1)),
      ratio('over an echo without a store', found.umbra, found.echo, perSecond, atLeast(0.55)),
      ratio('over raw etcd group commit', found.umbra, found.raw, perSecond),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}
