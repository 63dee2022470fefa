import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { openEtcdStore, TEST_QUEUE } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { testShadowStore } from '../suites/shadow-store.suite.js';

testShadowStore('memory', async () => {
  const store = new MemoryShadowStore({ maxQueuedPerShadow: TEST_QUEUE });
  return { one: store, other: store, maxQueuedPerShadow: TEST_QUEUE, close: () => store.close() };
});

let server: EtcdServer;
beforeAll(async () => void (server = await startEtcd()));
afterAll(() => server.stop());

testShadowStore('etcd', async () => {
  const one = openEtcdStore([server.endpoint]);
  const other = openEtcdStore([server.endpoint]);
  return {
    one: one.store,
    other: other.store,
    maxQueuedPerShadow: TEST_QUEUE,
    close: async () => void (await Promise.all([one.close(), other.close()])),
  };
});
