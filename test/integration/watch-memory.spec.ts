import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { etcdFeed } from '../harness/etcd-feed.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { keyOf } from '../suites/feed-fixture.js';

const SHADOWS = 2_000;
/** Megabytes. 60 silent readers of 12 MB each would need several times as much. */
const HEAP = 128;

describe('readers of the present state that take nothing', () => {
  let server: EtcdServer;
  beforeAll(async () => {
    server = await startEtcd();
  });
  afterAll(() => server.stop());

  it('do not end a node with a small heap, and another reader gets everything', async () => {
    const prefix = '/silent/';
    const fixture = etcdFeed(server, { prefix });
    for (let from = 0; from < SHADOWS; from += 100) {
      const writes = Array.from({ length: 100 }, (_, i) => ({
        key: keyOf(`s${from + i}`),
        version: 1,
        padding: 6_000,
      }));
      await fixture.commit(writes);
    }
    await fixture.close();
    const args = [`--max-old-space-size=${HEAP}`, '--import', 'tsx', 'test/harness/silent-readers.ts'];
    const { stdout } = await promisify(execFile)(process.execPath, [...args, server.endpoint, prefix, '60'], {
      timeout: 150_000,
      killSignal: 'SIGKILL',
    });
    const { received, most } = JSON.parse(stdout) as { received: number; most: number };
    expect(received).toBe(SHADOWS);
    expect(most).toBeLessThan(33 * 1024 ** 2);
  });
});
