import { startHttpNode, type HttpNode } from '../harness/http-node.js';

describe('health over HTTP', () => {
  let node: HttpNode;
  beforeEach(async () => (node = await startHttpNode()));
  afterEach(() => node.stop());

  const ready = async () => {
    const response = await fetch(`${node.url}/health/ready`);
    return {
      status: response.status,
      body: (await response.json()) as { ready: boolean; parts: Record<string, object> },
    };
  };

  it('is alive', async () => {
    const response = await fetch(`${node.url}/health/live`);
    expect([response.status, response.headers.get('cache-control'), await response.json()]).toEqual([
      200,
      'no-store',
      { live: true },
    ]);
  });

  it('names each part, and since when it is as it is', async () => {
    let etcd = { ok: true, reason: 'answers' };
    node.health.register('etcd', () => etcd);
    const start = new Date(node.clock.now()).toISOString();
    expect(await ready()).toEqual({
      status: 200,
      body: {
        ready: true,
        parts: { draining: { ok: true, reason: 'not draining', since: start }, etcd: { ...etcd, since: start } },
      },
    });
    node.clock.advance(5_000);
    etcd = { ok: false, reason: 'no member answers' };
    const failed = new Date(node.clock.now()).toISOString();
    await ready();
    node.clock.advance(5_000);
    etcd = { ok: false, reason: 'still none' };
    expect(await ready()).toMatchObject({
      status: 503,
      body: {
        ready: false,
        parts: { etcd: { ok: false, reason: 'still none', since: failed }, draining: { ok: true } },
      },
    });
    // The process is well all the same: a restart would not help.
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200);
  });

  it('is not ready from the first moment of a shutdown', async () => {
    node.health.drain();
    expect(await ready()).toMatchObject({
      status: 503,
      body: { ready: false, parts: { draining: { ok: false, reason: 'the node is shutting down' } } },
    });
    // Requests are still served while load balancers look elsewhere.
    expect((await fetch(`${node.url}/v1/things`)).status).toBe(200);
  });
});
