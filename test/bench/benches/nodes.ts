import type { Lab, Measured, Side } from '../lab.js';
import { openUpdateLoad } from '../load/update-load.js';
import { atMost, note, perSecond, ratio, type Result } from '../result.js';

/** The same devices over 1, 2 and 4 nodes on one etcd: each node hears of every update. */
export async function nodes(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const devices = lab.size(800, 800, 20);
  const side = async (count: number): Promise<Side> => {
    const prefix = `/nodes-${count}/`;
    const running = await Promise.all(Array.from({ length: count }, () => lab.node('umbra', { etcd, prefix })));
    const ports = running.map(({ mqttPort }) => mqttPort);
    const load = await openUpdateLoad({ ports, devices, prefix: `n${count}` });
    lab.onEnd(() => load.end());
    const pids = Object.fromEntries(running.map(({ process }, i) => [`node-${i + 1}`, process.pid]));
    return lab.loaded(load, { ...pids, etcd: etcd[0]?.pid ?? -1 });
  };
  const found = await lab.alternate({ one: await side(1), two: await side(2), four: await side(4) });
  return {
    rows: [
      ratio('processor of all nodes per update, four over one', found.four, found.one, allNodes, atMost(1.5)),
      ratio('processor of all nodes per update, two over one', found.two, found.one, allNodes),
      ratio('updates/s, two nodes over one', found.two, found.one, perSecond),
      ratio('updates/s, four nodes over one', found.four, found.one, perSecond),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

function allNodes({ cost }: Measured): number {
  const each = Object.entries(cost).filter(([name]) => name.startsWith('node-'));
  return each.reduce((sum, [, micros]) => sum + micros, 0);
}
