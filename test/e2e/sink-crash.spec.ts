import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startEtcd } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { startRedis } from '../harness/redis.js';
import { until } from '../harness/until.js';
import { cleanupAfterAll } from './steps/cleanup.js';

const cleanup = cleanupAfterAll();
const THINGS = 40;
const ROUNDS = 10;

it('an owner that is killed with -9 under load: the other node sends the rest, in order, and nothing is lost', async () => {
  const [etcd, redis, folder] = await Promise.all([
    startEtcd(),
    startRedis(),
    mkdtemp(join(tmpdir(), 'umbra-sink-crash-')),
  ]);
  cleanup(() => etcd.stop());
  cleanup(() => redis.stop());
  cleanup(() => rm(folder, { recursive: true }));
  const masterKey = join(folder, 'master.key');
  await writeFile(masterKey, 'ab'.repeat(32), { mode: 0o600 });
  const env = {
    ...{ UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_AUTH: 'on', UMBRA_MASTER_KEY: masterKey },
    ...{ UMBRA_SINK_HOSTS: '127.0.0.1', UMBRA_SINK_TAKEOVER_SECONDS: '2' },
  };
  const start = async (): Promise<ReadyNode> => {
    const node = await startNode({ env });
    cleanup(() => node.stop());
    return node;
  };
  const survivor = await start();
  const victim = await start();
  const key = (await readFile(join(survivor.dataDir, 'admin.key'), 'utf8')).trim();
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const answer = await fetch(survivor.httpUrl + path, {
      ...{ method, headers: { authorization: `Bearer ${key}` } },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const settings = { server: `redis://127.0.0.1:${redis.port}`, stream: 'events', cachePrefix: 'doc:' };
  await ask('PUT', '/v1/sinks/events', { kind: 'redis', settings });
  const shards = async (): Promise<number[]> => {
    const { owners } = (await ask('GET', '/v1/sinks/events')) as { owners: { shards: string[] }[] };
    return owners.map((owner) => owner.shards.length);
  };
  await until('both nodes have shards', async () => {
    const held = await shards();
    return held.length === 2 && held[0]! + held[1]! === 16;
  });

  const things = Array.from({ length: THINGS }, (_, i) => `lamp-${i}`);
  for (let n = 1; n <= ROUNDS; n++) {
    await Promise.all(things.map((thing) => ask('PATCH', `/v1/things/${thing}/shadow/reported`, { n })));
    if (n === ROUNDS / 2) await victim.kill9();
  }

  const client = new Redis({ host: '127.0.0.1', port: redis.port });
  cleanup(async () => client.disconnect());
  const versions = async (): Promise<Map<string, number[]>> => {
    const found = new Map<string, number[]>();
    for (const [, fields] of await client.xrange('events', '-', '+')) {
      const thing = fields[fields.indexOf('thing') + 1]!;
      found.set(thing, [...(found.get(thing) ?? []), Number(fields[fields.indexOf('version') + 1])]);
    }
    return found;
  };
  const all = Array.from({ length: ROUNDS }, (_, i) => i + 1);
  const firsts = (list: readonly number[] = []): number[] => [...new Set(list)];
  await until('all are sent', async () => {
    const found = await versions();
    return things.every((thing) => firsts(found.get(thing)).length === ROUNDS);
  });
  const found = await versions();
  for (const thing of things) {
    expect([thing, firsts(found.get(thing))]).toEqual([thing, all]);
    expect(await client.hget(`doc:default/${thing}/`, 'version')).toBe(String(ROUNDS));
  }
  await until('one node has all', async () => (await shards())[0] === 16);
});
