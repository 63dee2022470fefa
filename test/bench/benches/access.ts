import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab, RunningNode, Side } from '../lab.js';
import { HttpConnection } from '../load/http-connection.js';
import { openUpdateLoad } from '../load/update-load.js';
import { atLeast, note, perSecond, ratio, type Result } from '../result.js';
import { fill, overHttp } from './gets.js';

const PREFIX = 'device';

/** What credentials and policies cost: the same node with and without them, in turn, on one etcd. */
export async function access(lab: Lab): Promise<Result> {
  const etcd = [await lab.etcd()];
  const devices = lab.size(400, 400, 10);
  const masterKey = join(lab.folder(), 'master.key');
  writeFileSync(masterKey, '7'.repeat(64), { mode: 0o600 });
  const off = await lab.node('umbra', { etcd });
  // Requests are counted, but no device reaches its limit.
  const env = { UMBRA_AUTH: 'on', UMBRA_MASTER_KEY: masterKey, UMBRA_LIMIT_THING: '1000000' };
  const on = await lab.node('umbra', { etcd, env });
  const admin = readFileSync(join(on.process.dataDir, 'admin.key'), 'utf8').trim();
  const keys = await makeDevices(on, admin, devices);
  const pids = (node: RunningNode): Record<string, number> => ({ node: node.process.pid, etcd: etcd[0]?.pid ?? -1 });
  const updates = async (node: RunningNode, keyOf?: (name: string) => string): Promise<Side> => {
    const load = await openUpdateLoad({ ports: [node.mqttPort], devices, prefix: PREFIX, ...(keyOf && { keyOf }) });
    lab.onEnd(() => load.end());
    return lab.loaded(load, pids(node));
  };
  const updated = await lab.alternate({
    on: await updates(on, (name) => keys.get(name) ?? ''),
    off: await updates(off),
  });
  await fill(on.httpPort, admin);
  await fill(off.httpPort);
  const read = await lab.alternate({
    'GET on': await overHttp(lab, on.httpPort, pids(on), admin),
    'GET off': await overHttp(lab, off.httpPort, pids(off)),
  });
  const cost = ({ cost: { node = Number.NaN } }: { cost: Record<string, number> }): number => node;
  return {
    rows: [
      ratio('updates/s over MQTT with keys, over none', updated.on, updated.off, perSecond, atLeast(0.97)),
      ratio('processor of the node per update, with keys over none', updated.on, updated.off, cost),
      ratio('GETs/s with keys, over none', read['GET on'], read['GET off'], perSecond, atLeast(0.95)),
      ratio('processor of the node per GET, with keys over none', read['GET on'], read['GET off'], cost),
    ],
    notes: Object.entries({ ...updated, ...read }).map(([name, samples]) => note(name, samples)),
  };
}

/** A principal and a key for each device. */
async function makeDevices({ httpPort }: RunningNode, admin: string, count: number): Promise<Map<string, string>> {
  const http = await HttpConnection.open(httpPort, admin);
  const keys = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const name = `${PREFIX}-${i}`;
    await http.send('PUT', `/v1/principals/${name}`, JSON.stringify({ thing: name, roles: ['device'] }));
    const answer = await http.send('POST', `/v1/principals/${name}/keys`, '{}');
    keys.set(name, (JSON.parse(answer) as { key: string }).key);
  }
  http.end();
  return keys;
}
