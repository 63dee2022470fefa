import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { keyOf, type Write } from '../suites/feed-fixture.js';

const never = new AbortController().signal;

describe('the base state of a feed of etcd', () => {
  let server: EtcdServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    server = await startEtcd();
  });
  beforeEach(async () => {
    proxy = await TcpProxy.start(server.port);
  });
  afterEach(() => proxy.stop());
  afterAll(() => server.stop());

  it('is continued after etcd was away for longer than any call takes, from the page that failed', async () => {
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint], callTimeoutMs: 300 });
    for (let i = 0; i < 2_000; i += 100) {
      await fixture.commit(Array.from({ length: 100 }, (_, n) => ({ key: keyOf(`b${i + n}`), version: 1 })));
    }
    const { records } = await fixture.feed.base({ tenant: 't1' }, never);
    const things = new Set<string>();
    let healing: NodeJS.Timeout | undefined;
    for await (const { key } of records) {
      things.add(key.thing);
      if (healing) continue;
      proxy.set('refuse');
      // Longer than the feed repeats one call.
      healing = setTimeout(() => proxy.set('pass'), 6_000);
    }
    expect(things.size).toBe(2_000);
    expect(proxy.mode).toBe('pass');
    await fixture.close();
  });

  it('ends with the signal while etcd is away', async () => {
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint], callTimeoutMs: 300 });
    await fixture.commit(Array.from({ length: 100 }, (_, n) => ({ key: keyOf(`e${n}`), version: 1 })));
    const leaving = new AbortController();
    const { records } = await fixture.feed.base({ tenant: 't1' }, leaving.signal);
    let count = 0;
    for await (const { key } of records) {
      count += key.tenant === 't1' ? 1 : 0;
      if (count > 1) continue;
      proxy.set('refuse');
      setTimeout(() => leaving.abort(), 500);
    }
    expect(count).toBeLessThan(100);
    await fixture.close();
  });

  it('is read in answers that arrive within one call, however large the records are', async () => {
    const COUNT = 200;
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint], callTimeoutMs: 400 });
    for (let i = 0; i < COUNT; i += 8) {
      const keys = Array.from({ length: 8 }, (_, n) => keyOf('large', `n${i + n}`));
      await fixture.commit(keys.map((key): Write => ({ key, version: 1, padding: 120_000 })));
    }
    // A slow line: a page of 100 records takes 600 ms on it.
    proxy.bandwidth(20 * 1024 * 1024);
    const stop = AbortSignal.timeout(40_000);
    const { records } = await fixture.feed.base({ tenant: 't1', thing: 'large' }, stop);
    let count = 0;
    for await (const { state } of records) count += state.version;
    expect(count).toBe(COUNT);
    await fixture.close();
  });
});
