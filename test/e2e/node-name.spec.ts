import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { spawnNode, startNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let env: Record<string, string>;
beforeAll(async () => {
  etcd = await startEtcd();
  cleanup(() => etcd.stop());
  env = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_NODE_ID: 'the-one' };
});

it('refuses a second live node with the same name, and lets a killed one start again', async () => {
  const first = await startNode({ env });
  cleanup(() => first.stop());
  const second = await spawnNode({ env });
  cleanup(() => second.stop());
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.logs()).toContain(`Another node has the name the-one: process ${first.pid} on `);
  expect(second.logs()).toContain('UMBRA_NODE_ID');
  expect(first.running).toBe(true);

  await first.kill9();
  const again = await startNode({ env });
  cleanup(() => again.stop());
  expect(again.running).toBe(true);
});
