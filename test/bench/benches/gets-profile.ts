import { join } from 'node:path';
import { cpuProfile } from '../cpu-profile.js';
import type { Lab, Measured } from '../lab.js';
import { note, perSecond, ratio, row, type Result } from '../result.js';
import { shares } from '../shares.js';
import { bareServer } from './bare-server.js';
import { fill, overHttp } from './gets.js';

/** Where the node's time goes at saturation with linearizable GETs over HTTP. */
export async function getsProfile(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const file = join(process.env['BENCH_PROFILE_DIR'] ?? lab.folder(), 'gets.cpuprofile');
  const { httpPort, process: node } = await lab.node('umbra', { etcd, env: { BENCH_PROFILE: file } });
  await fill(httpPort);
  const side = await overHttp(lab, httpPort, { node: node.pid, etcd: etcd[0]?.pid ?? -1 });
  const { umbra } = await lab.alternate({ umbra: side });
  const profile = await cpuProfile(node, file, side.run);
  return {
    rows: [row('processor of the node per GET', umbra.map(costOfNode), undefined, ' µs')],
    notes: [note('umbra', umbra), ...shares(profile), `profile: ${file}`],
  };
}

/** Before and after a change: GETs on this working tree, on another revision and on bare Fastify, in turn. */
export async function getsAgainst(lab: Lab): Promise<Result> {
  const other = process.env['BENCH_AGAINST'];
  if (!other) throw new Error('needs --against REVISION');
  const etcd = [await lab.etcd()];
  const after = await lab.node('umbra', { etcd });
  const before = await lab.node('umbra', { etcd, main: other });
  const bare = await bareServer(lab, 'bare-fastify');
  for (const { httpPort } of [after, before]) await fill(httpPort);
  const found = await lab.alternate({
    after: await overHttp(lab, after.httpPort, { node: after.process.pid }),
    before: await overHttp(lab, before.httpPort, { node: before.process.pid }),
    fastify: await overHttp(lab, bare.port, { node: bare.pid }),
  });
  return {
    rows: [
      ratio('processor of the node per GET, after over before', found.after, found.before, costOfNode),
      row('processor of the node per GET, before', found.before.map(costOfNode), undefined, ' µs'),
      row('processor of the node per GET, after', found.after.map(costOfNode), undefined, ' µs'),
      row('processor of bare Fastify per GET', found.fastify.map(costOfNode), undefined, ' µs'),
      ratio('GETs per second, after over before', found.after, found.before, perSecond),
      ratio('GETs per second, after over bare Fastify', found.after, found.fastify, perSecond),
    ],
    notes: Object.entries(found).map(([name, samples]) => note(name, samples)),
  };
}

const costOfNode = ({ cost }: Measured): number => cost['node'] ?? Number.NaN;
