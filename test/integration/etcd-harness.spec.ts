import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { Etcd3 } from 'etcd3';
import { noop } from 'cockatiel';

describe('the etcd of the tests', () => {
  let server: EtcdServer;
  beforeAll(async () => void (server = await startEtcd()));
  afterAll(() => server.stop());

  it('keeps its data over kill -9 and restart', async () => {
    await server.client.put('a').value('1');
    const before = server.pid;
    await server.kill9();
    await server.restart();
    expect(server.pid).not.toBe(before);
    expect(await server.client.get('a').string()).toBe('1');
  });

  it('loses an answer, but not the write, behind a proxy that cuts on response', async () => {
    const proxy = await TcpProxy.start(server.port);
    const client = new Etcd3({ hosts: proxy.endpoint, faultHandling: { global: noop, host: () => noop } });
    await client.put('b').value('0');
    proxy.set('cut-on-response');
    await expect(client.put('b').value('1').exec()).rejects.toThrow();
    expect(proxy.cuts).toBe(1);
    expect(await server.client.get('b').string()).toBe('1');
    expect(await client.get('b').string()).toBe('1');
    client.close();
    await proxy.stop();
  });
});
