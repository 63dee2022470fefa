import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../harness/until.js';
import type { Lab, Measured, RunningNode } from '../lab.js';
import { bearing, type Showing } from '../load/http-connection.js';
import { signing } from '../load/signed-requests.js';
import { note, perSecond, ratio, row, type Result, type Row } from '../result.js';
import { Secured } from '../secured.js';
import { shares } from '../shares.js';
import { bareFastify, fill, overHttp } from './gets.js';

/** Where the node's time goes at saturation with linearizable GETs over HTTP. */
export async function getsProfile(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const file = join(process.env['BENCH_PROFILE_DIR'] ?? lab.folder(), 'gets.cpuprofile');
  rmSync(file, { force: true });
  const { httpPort, process: node } = await lab.node('umbra', { etcd, env: { BENCH_PROFILE: file } });
  await fill(httpPort);
  const side = await overHttp(lab, httpPort, { node: node.pid, etcd: etcd[0]?.pid ?? -1 });
  const { umbra } = await lab.alternate({ umbra: side });
  node.signal('SIGUSR2');
  await side.run();
  node.signal('SIGUSR2');
  await until('the profile is written', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('}'));
  return {
    rows: [row('processor of the node per GET', umbra.map(costOfNode), undefined, ' µs')],
    notes: [note('umbra', umbra), ...shares(JSON.parse(readFileSync(file, 'utf8'))), `profile: ${file}`],
  };
}

/**
 * Where the time of a GET goes without credentials and with each kind: microseconds of processor by part and function.
 */
export async function getsAccessProfile(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const folder = process.env['BENCH_PROFILE_DIR'] ?? lab.folder();
  const fileOf = (name: string): string => join(folder, `${name}.cpuprofile`);
  const off = await lab.node('umbra', { etcd, env: { BENCH_PROFILE: fileOf('off') } });
  const on = await Secured.start(lab, { etcd, env: { BENCH_PROFILE: fileOf('on') } });
  const tokens = await on.tokensFor(new Map([['admin', on.admin]]));
  await fill(off.httpPort);
  await fill(on.node.httpPort, on.shown);
  const ways: readonly (readonly [string, RunningNode, Showing | undefined])[] = [
    ['off', off, undefined],
    ['key', on.node, on.shown],
    ['token', on.node, bearing(tokens.get('admin') ?? '')],
    ['signature', on.node, signing(await on.accessKey())],
  ];
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const [name, node, shown] of ways) {
    const file = fileOf(name === 'off' ? 'off' : 'on');
    rmSync(file, { force: true });
    const side = await overHttp(lab, node.httpPort, { node: node.process.pid }, shown);
    const { of: samples } = await lab.alternate({ of: side });
    node.process.signal('SIGUSR2');
    await side.run();
    node.process.signal('SIGUSR2');
    await until('the profile is written', () => existsSync(file) && readFileSync(file, 'utf8').endsWith('}'));
    const cost = row(`processor of the node per GET, ${name}`, samples.map(costOfNode), undefined, ' µs');
    rows.push(cost);
    notes.push(name, ...shares(JSON.parse(readFileSync(file, 'utf8')), cost.median));
  }
  return { rows, notes };
}

/** Before and after a change: GETs on this working tree, on another revision and on bare Fastify, in turn. */
export async function getsAgainst(lab: Lab): Promise<Result> {
  const other = process.env['BENCH_AGAINST'];
  if (!other) throw new Error('needs --against REVISION');
  const etcd = [await lab.etcd()];
  const after = await lab.node('umbra', { etcd });
  const before = await lab.node('umbra', { etcd, main: other });
  const bare = await bareFastify(lab);
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
