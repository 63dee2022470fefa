import type { Lab, Measured, RunningNode, Side } from '../lab.js';
import { openUpdateLoad } from '../load/update-load.js';
import { note, perSecond, ratio, type Result } from '../result.js';
import { fill, overHttp } from './gets.js';

/** Before and after a change: this working tree and another revision in turn, on one etcd; updates, then reads. */
export async function against(lab: Lab): Promise<Result> {
  const other = process.env['BENCH_AGAINST'];
  if (!other) throw new Error('needs --against REVISION');
  const etcd = [await lab.etcd()];
  const after = await lab.node('umbra', { etcd });
  const before = await lab.node('umbra', { etcd, main: other });
  const pidsOf = (node: RunningNode): Record<string, number> => ({
    node: node.process.pid,
    etcd: etcd[0]?.pid ?? -1,
  });
  const updates = async (name: string, node: RunningNode): Promise<Side> => {
    const load = await openUpdateLoad({ ports: [node.mqttPort], devices: lab.size(400, 400, 20), prefix: name });
    lab.onEnd(() => load.end());
    return lab.loaded(load, pidsOf(node));
  };
  const updated = await lab.alternate({
    after: await updates('after', after),
    before: await updates('before', before),
  });
  for (const { httpPort } of [after, before]) await fill(httpPort);
  const read = await lab.alternate({
    'GET after': await overHttp(lab, after.httpPort, pidsOf(after)),
    'GET before': await overHttp(lab, before.httpPort, pidsOf(before)),
  });
  const cost = (each: Measured): number => each.cost['node'] ?? Number.NaN;
  return {
    rows: [
      ratio('processor of the node per update, after over before', updated.after, updated.before, cost),
      ratio('updates per second, after over before', updated.after, updated.before, perSecond),
      ratio('processor of the node per GET, after over before', read['GET after'], read['GET before'], cost),
      ratio('GETs per second, after over before', read['GET after'], read['GET before'], perSecond),
    ],
    notes: Object.entries({ ...updated, ...read }).map(([name, samples]) => note(name, samples)),
  };
}
