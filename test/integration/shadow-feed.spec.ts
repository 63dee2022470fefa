import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { memoryFeed } from '../harness/memory-feed.js';
import { shadowFeedSuite } from '../suites/shadow-feed.suite.js';

let server: EtcdServer;

beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());

shadowFeedSuite('memory', async () => memoryFeed());
shadowFeedSuite('etcd', async () => etcdFeed(server));
