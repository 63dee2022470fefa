import { loadConfig } from '../../src/config/load-config.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import type { Storage } from '../../src/store/storage.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { freePort } from '../harness/ports.js';
import { until } from '../harness/until.js';

const QUOTA_BYTES = 64 * 1024 * 1024;

describe('what health says about etcd', () => {
  let etcd: EtcdServer;
  let storage: Storage;
  let away: string;
  const open = (): Storage => {
    const config = loadConfig({ UMBRA_ETCD_ENDPOINTS: `${etcd.endpoint},${away}` });
    return openEtcdStorage({ config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
  };
  beforeAll(async () => {
    etcd = await startEtcd({ quotaBytes: QUOTA_BYTES });
    away = `http://127.0.0.1:${await freePort()}`;
  });
  afterEach(() => storage.close());
  afterAll(() => etcd.stop());

  it('names every member, also one that does not answer', async () => {
    storage = open();
    await until('both members', () => storage.health().members?.length === 2);
    expect(storage.health().members).toEqual([
      { member: etcd.endpoint, ok: true, reason: expect.stringMatching(/^etcd 3\.\d+\.\d+.*, .* MiB$/) as string },
      { member: away, ok: false, reason: expect.stringContaining('does not answer') as string },
    ]);
  });

  it('warns of a quota that is below what the node counts with', async () => {
    storage = open();
    const warns = () =>
      storage.health().warnings?.some((text) => /has a quota of 64 MiB, below UMBRA_ETCD_/.test(text));
    await until('the warning', () => warns() === true);
  });

  it('warns of an etcd that was never compacted, once its history is long', async () => {
    const key = Buffer.from('history');
    for (let round = 0; round < 101; round++) {
      await Promise.all(Array.from({ length: 100 }, () => etcd.client.kv.put({ key, value: key })));
    }
    storage = open();
    const warns = () => storage.health().warnings?.some((text) => /revisions were never compacted/.test(text));
    await until('the warning', () => warns() === true);
  });
});
