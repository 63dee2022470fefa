import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { memoryFeed } from '../harness/memory-feed.js';
import { watchHubSuite } from '../suites/watch-hub.suite.js';

let server: EtcdServer;

beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());

watchHubSuite('memory', async () => memoryFeed());
watchHubSuite('etcd', async () => etcdFeed(server));
