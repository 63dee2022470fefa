import { Breakers } from '../../src/breakers/breakers.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { etcdKeys } from '../harness/etcd-cluster-keys.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { breakersSuite, QUICK } from '../suites/breakers.suite.js';

let server: EtcdServer;
beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());

breakersSuite('memory', async () => ({ keys: new MemoryClusterKeys(), close: async () => undefined }));
breakersSuite('etcd', async () => etcdKeys([server.endpoint]));

describe('breakers whose etcd is away', () => {
  it('work from what they see, hold no call up, and tell their state when etcd is back', async () => {
    const proxy = await TcpProxy.start(Number(new URL(server.endpoint).port));
    const far = etcdKeys([proxy.endpoint], { callTimeoutMs: 1_000 });
    const direct = etcdKeys([server.endpoint], { prefix: far.prefix });
    const breakers = new Breakers({
      ...{ keys: far.keys, node: 'a', clock: SYSTEM_CLOCK, logger: SILENT_LOGGER, times: QUICK },
    });
    try {
      // It takes connections and never answers: the worst way to be away.
      proxy.set('blackhole');
      breakers.start();
      const { run } = breakers.of('d');
      let slowest = 0;
      const timed = async (call: () => Promise<unknown>): Promise<void> => {
        const start = performance.now();
        await run(call).catch(() => undefined);
        slowest = Math.max(slowest, performance.now() - start);
      };
      for (let i = 0; i < 100; i++) await timed(() => Promise.resolve());
      for (let i = 0; i < 200; i++) await timed(() => Promise.reject(new Error('no')));
      expect(breakers.of('d').state).toMatchObject({ state: 'open' });
      // One that waited for etcd would have waited for its second to pass.
      expect(slowest).toBeLessThan(1_000);
      expect(await direct.keys.get('breakers/d/a')).toBeNull();
      proxy.set('pass');
      proxy.cutAll();
      await until('the record', () => direct.keys.get('breakers/d/a'));
    } finally {
      await breakers.close();
      await Promise.all([far, direct].map((each) => each.close()));
      await proxy.stop();
    }
  });
});
