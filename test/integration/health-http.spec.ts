import { networkInterfaces } from 'node:os';
import type { Health } from '../../src/telemetry/health.js';
import { VERSION } from '../../src/telemetry/version.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

describe('health over HTTP', () => {
  let node: HttpNode;
  let etcd: Health;
  beforeEach(async () => {
    etcd = { ok: true, reason: 'answers' };
    node = await startHttpNode({ storageHealth: () => etcd });
  });
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
    const start = new Date(node.clock.now()).toISOString();
    expect(await ready()).toEqual({
      status: 200,
      body: {
        ready: true,
        version: VERSION,
        parts: {
          draining: { ok: true, reason: 'not draining', since: start },
          etcd: { ...etcd, since: start },
          feed: { ok: true, reason: expect.any(String) as string, since: start },
        },
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

  it('shows warnings and every member of a part', async () => {
    const members = [
      { member: 'http://a:2379', ok: true, reason: 'etcd 3.5.33' },
      { member: 'http://b:2379', ok: false, reason: 'does not answer' },
    ];
    etcd = { ok: true, reason: 'answers', warnings: ['change this'], members };
    expect((await ready()).body.parts['etcd']).toMatchObject({ warnings: ['change this'], members });
  });

  it('hides reasons from a request that a proxy forwards, whatever that claims', async () => {
    etcd = { ok: false, reason: 'http://10.0.0.1:2379: refused', warnings: ['x'] };
    for (const name of ['x-forwarded-for', 'forwarded', 'via']) {
      const response = await fetch(`${node.url}/health/ready`, { headers: { [name]: '127.0.0.1' } });
      const { parts } = (await response.json()) as { parts: Record<string, object> };
      expect([response.status, Object.keys(parts['etcd'] ?? {})]).toEqual([503, ['ok', 'since']]);
    }
  });

  it('has a page for operators, with the failures of each part', async () => {
    const look = () => fetch(`${node.url}/health/status`);
    await ready();
    node.clock.advance(5_000);
    etcd = { ok: false, reason: 'http://10.0.0.1:2379: refused' };
    const at = new Date(node.clock.now()).toISOString();
    await ready();
    node.clock.advance(1_500);
    etcd = { ok: true, reason: 'answers again' };
    const answer = await look();
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(await answer.json()).toMatchObject({
      ...{ node: expect.any(String), ready: true, version: VERSION, storage: null, nodes: [] },
      parts: {
        etcd: {
          ...{ ok: true, reason: 'answers again', since: new Date(node.clock.now()).toISOString() },
          failures: { count: 1, last: { at, reason: 'http://10.0.0.1:2379: refused', seconds: 1.5 } },
        },
        draining: { failures: { count: 0, last: null } },
      },
    });
    const forwarded = await fetch(`${node.url}/health/status`, { headers: { 'x-forwarded-for': '127.0.0.1' } });
    expect([forwarded.status, await forwarded.text()]).toEqual([403, expect.not.stringContaining('10.0.0.1')]);
  });

  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const address = own.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  (address === undefined ? it.skip : it)('hides reasons from other addresses than loopback', async () => {
    etcd = { ok: true, reason: 'http://10.0.0.1:2379 answers' };
    const open = await startHttpNode({ http: { host: '0.0.0.0' }, storageHealth: () => etcd });
    try {
      const url = open.url.replace(/127\.0\.0\.1|0\.0\.0\.0/, address ?? '');
      const text = await (await fetch(`${url}/health/ready`, { headers: { 'x-forwarded-for': '127.0.0.1' } })).text();
      expect(text).toContain('"etcd":{"ok":true');
      expect(text).not.toContain('10.0.0.1');
    } finally {
      await open.stop();
    }
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
