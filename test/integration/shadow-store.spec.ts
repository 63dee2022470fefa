import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import { openEtcdStore, TEST_QUEUE } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { testShadowStore } from '../suites/shadow-store.suite.js';
import { testStoreReads } from '../suites/store-reads.suite.js';

testShadowStore('memory', async () => {
  const store = new MemoryShadowStore({ maxQueuedPerShadow: TEST_QUEUE });
  let revision = 0;
  const claims = {
    put: async (claim: string) => (store.claims.set(claim, ++revision), revision),
    end: async (claim: string) => void store.claims.delete(claim),
  };
  return { one: store, other: store, maxQueuedPerShadow: TEST_QUEUE, claims, close: () => store.close() };
});

testStoreReads('memory', async () => {
  const store = new MemoryShadowStore();
  const compact = async (revision: number) => store.log.compactTo(revision);
  return { one: store, other: store, compact, close: () => store.close() };
});

let server: EtcdServer;
beforeAll(async () => void (server = await startEtcd()));
afterAll(() => server.stop());

testShadowStore('etcd', async () => {
  const one = openEtcdStore([server.endpoint]);
  const other = openEtcdStore([server.endpoint]);
  const keyOf = (claim: string): Buffer => Buffer.from(`/test/v1/cluster/${claim}`);
  const claims = {
    put: async (claim: string) => {
      const { header } = await server.client.kv.put({ key: keyOf(claim), value: Buffer.from('node') });
      return Number(header.revision);
    },
    end: async (claim: string) => void (await server.client.kv.deleteRange({ key: keyOf(claim) })),
  };
  return {
    claims,
    one: one.store,
    other: other.store,
    maxQueuedPerShadow: TEST_QUEUE,
    close: async () => void (await Promise.all([one.close(), other.close()])),
  };
});

testStoreReads('etcd', async () => {
  const one = openEtcdStore([server.endpoint]);
  const other = openEtcdStore([server.endpoint]);
  return {
    one: one.store,
    other: other.store,
    compact: async (revision) => void (await server.client.kv.compact({ revision: String(revision), physical: true })),
    close: async () => void (await Promise.all([one.close(), other.close()])),
  };
});
