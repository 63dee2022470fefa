import type { Lab, Measured, Side } from '../lab.js';
import { UpdateLoad } from '../load/update-load.js';
import { note, perSecond, ratio, type Result } from '../result.js';

/** Before and after a change: this working tree and another revision in turn, on one etcd. */
export async function against(lab: Lab): Promise<Result> {
  const other = process.env['BENCH_AGAINST'];
  if (other === undefined) throw new Error('needs --against REVISION');
  const etcd = [await lab.etcd()];
  const side = async (name: string, main?: string): Promise<Side> => {
    const node = await lab.node('umbra', { etcd, ...(main === undefined ? {} : { main }) });
    const load = await UpdateLoad.open({ ports: [node.mqttPort], devices: lab.size(400, 400, 20), prefix: name });
    lab.onEnd(() => load.end());
    return { run: () => load.run(lab.scale.seconds), pids: { node: node.process.pid, etcd: etcd[0]?.pid ?? -1 } };
  };
  const found = await lab.alternate({ after: await side('after'), before: await side('before', other) });
  const cost = (each: Measured): number => each.cost['node'] ?? Number.NaN;
  return {
    rows: [
      ratio('processor of the node per update, after over before', found.after, found.before, cost),
      ratio('updates per second, after over before', found.after, found.before, perSecond),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}
