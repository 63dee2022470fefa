import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../bench/compile.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { Rest } from './steps/rest.js';

/** The last revision that knows only records of format 1. A clone without it leaves this file out. */
const OLD = '0f08e577fd20e8334a2d411f1fa54d2fb68b31d3';
const hasOld = spawnSync('git', ['cat-file', '-e', `${OLD}^{commit}`]).status === 0;

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let old: ReadyNode;

const start = async (env: Record<string, string>, main?: string): Promise<ReadyNode> => {
  const node = await startNode({ env: { UMBRA_ETCD_ENDPOINTS: etcd.endpoint, ...env }, ...(main && { main }) });
  cleanup(() => node.stop());
  return node;
};

/** The first bytes of every stored record. */
async function formats(): Promise<string[]> {
  const all = await etcd.client.getAll().prefix('/umbra/v1/shadows/').strings();
  // The marker of the feeds is no record.
  const records = Object.entries(all).filter(([key]) => key.endsWith('/c'));
  return records.map(([, value]) => value.slice(0, '{"f":2'.length));
}

(hasOld ? describe : describe.skip)('an upgrade of a running service from records of format 1', () => {
  beforeAll(async () => {
    etcd = await startEtcd();
    cleanup(() => etcd.stop());
    const folder = compile(process.cwd(), OLD);
    cleanup(() => rmSync(folder, { recursive: true, force: true }));
    old = await start({}, join(folder, 'src', 'main.js'));
  });

  it('in its first round, old and new nodes write the same shadows and tell their subscribers the same', async () => {
    const fresh = await start({ UMBRA_RECORD_FORMAT: '1' });
    const nodes = [old, fresh];
    const devices = await Promise.all(nodes.map((node) => Device.connect(node.mqttUrl)));
    for (const device of devices) {
      cleanup(() => device.close());
      await device.subscribe(topic('mixed', 'update/accepted'));
      await device.subscribe(topic('mixed', 'update/documents'));
    }
    const updates = 40;
    for (let i = 0; i < updates; i++) {
      const patch =
        i % 5 === 4 ? { desired: { goal: i, list: [i, { a: i }] } } : { reported: { [`m${i % 3}`]: i, n: { i } } };
      await new Rest(nodes[i % 2]!.httpUrl).update('mixed', { state: patch });
    }
    const last = (device: Device) =>
      device.next((each) => each.topic.endsWith('accepted') && each.json.version === updates);
    await Promise.all(devices.map(last));
    const texts = devices.map(({ messages }) => messages.map((each) => [each.topic, each.text]));
    expect(texts[0]).toHaveLength(2 * updates);
    expect(texts[0]).toEqual(texts[1]);
    const read = await Promise.all(nodes.map(async (node) => (await new Rest(node.httpUrl).get('mixed')).json));
    expect({ ...read[0], timestamp: 0 }).toEqual({ ...read[1], timestamp: 0 });
    expect(await formats()).toEqual(['{"vers']);
    await Promise.all([old.stop(), fresh.stop()]);
  });

  it('in its second round, a node reads format 1 and writes format 2, beside one that still writes format 1', async () => {
    const [first, second] = await Promise.all([start({ UMBRA_RECORD_FORMAT: '1' }), start({})]);
    const before = (await new Rest(second.httpUrl).get('mixed')).json;
    for (const node of [second, first, second]) {
      await new Rest(node.httpUrl).update('mixed', { state: { reported: { round: 2 } } });
    }
    expect(await formats()).toEqual(['{"f":2']);
    const after = (await new Rest(first.httpUrl).get('mixed')).json;
    expect(after).toMatchObject({
      version: before.version + 3,
      state: { desired: before.state.desired, reported: { ...before.state.reported, round: 2 } },
      metadata: { desired: before.metadata.desired },
    });
  });
});
