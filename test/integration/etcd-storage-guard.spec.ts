import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { EtcdPermissionDeniedError } from 'etcd3';
import { createEtcdClient } from '../../src/store/etcd/client/etcd-client.js';
import { formatKey } from '../../src/store/etcd/keys.js';
import { documentOf, increment, remove, report, shadow, within } from '../harness/changes.js';
import { etcdConfig, openEtcdStore } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { until } from '../harness/until.js';

const MIB = 1024 * 1024;

/** With a server whose real quota is 16 MiB. */
describe('storage guard', () => {
  let server: EtcdServer;
  let opened: EtcdStore;
  beforeEach(async () => {
    server = await startEtcd({ quotaBytes: 16 * MIB });
    opened = openEtcdStore([server.endpoint], { quotaBytes: 10 * MIB }, { guardPeriodMs: 20 });
    await opened.store.update(shadow('small'), increment, within());
    await opened.store.update(shadow('doomed'), increment, within());
  });
  afterEach(async () => {
    await opened.close();
    await server.stop();
  });

  const fillByUpdates = async (): Promise<string> => {
    const blob = 'x'.repeat(50_000);
    for (let i = 0; i < 400; i++) {
      try {
        await opened.store.update(shadow('big'), report({ blob }), within());
      } catch (error) {
        return (error as { code: string }).code;
      }
    }
    return 'never refused';
  };
  const compact = async (): Promise<void> => {
    const { header } = await server.client.kv.range({ key: Buffer.from('x') });
    await server.client.kv.compact({ revision: header.revision, physical: true });
  };
  const expectUpdatesRefused = () =>
    expect(opened.store.update(shadow('small'), increment, within())).rejects.toMatchObject({ code: 'storageFull' });
  const expectReadsAndDeletes = async (): Promise<void> => {
    expect(documentOf(await opened.store.get(shadow('small'), within())).reported).toEqual({ count: 1 });
    expect((await opened.store.update(shadow('doomed'), remove, within())).state).toMatchObject({ deleted: true });
  };

  it('refuses updates at our limit, lets reads and deletes go on, and recovers after a compaction', async () => {
    expect(await fillByUpdates()).toBe('storageFull');
    expect(opened.guard.use).toMatchObject({ full: true, reason: expect.stringMatching(/1\d of 10 MiB in use/) });
    await expectUpdatesRefused();
    await expectReadsAndDeletes();
    await compact();
    await until('room again', () => !opened.guard.use.full);
    expect(documentOf(await opened.store.update(shadow('small'), increment, within())).reported).toEqual({ count: 2 });
  });

  it('keeps to our limit although the user may not read the alarms of etcd', async () => {
    await opened.close();
    const createClient = (host: string) => {
      const client = createEtcdClient(host, etcdConfig([host]), {});
      client.maintenance.alarm = () =>
        Promise.reject(new EtcdPermissionDeniedError('7 PERMISSION_DENIED: etcdserver: permission denied'));
      return client;
    };
    opened = openEtcdStore(
      [server.endpoint],
      { quotaBytes: 10 * MIB },
      { guardPeriodMs: 20, factories: { createClient } },
    );
    expect(await fillByUpdates()).toBe('storageFull');
    expect(opened.guard.use).toMatchObject({ full: true, reason: expect.stringMatching(/1\d of 10 MiB in use/) });
    await compact();
    await until('room again', () => !opened.guard.use.full);
  });

  it('refuses updates while the NOSPACE alarm of etcd is set, and recovers when it is disarmed', async () => {
    // A lease for tombstones is at hand, as it is on a node that has deleted something lately.
    await opened.store.update(shadow('lease'), increment, within());
    await opened.store.update(shadow('lease'), remove, within());
    const blob = Buffer.alloc(MIB);
    await expect(
      (async () => {
        for (let i = 0; i < 40; i++) await server.client.kv.put({ key: Buffer.from('foreign'), value: blob });
      })(),
    ).rejects.toThrow('database space exceeded');
    await until('the alarm is seen', () => opened.guard.use.reason.includes('NOSPACE'));
    await expectUpdatesRefused();
    await expectReadsAndDeletes();
    await compact();
    await server.client.maintenance.defragment();
    const { alarms } = await server.client.maintenance.alarm({});
    for (const alarm of alarms) await server.client.maintenance.alarm({ action: 'Deactivate', ...alarm });
    await until('room again', () => !opened.guard.use.full);
    expect(documentOf(await opened.store.update(shadow('small'), increment, within())).reported).toEqual({ count: 2 });
  });

  it('ends a tombstone by a lease, and takes the lease off when the shadow comes back', async () => {
    const leaseOf = async () => {
      const { kvs } = await server.client.kv.range({ key: Buffer.from(formatKey('/test/v1/', shadow('doomed'))) });
      return kvs[0]?.lease;
    };
    await opened.store.update(shadow('doomed'), remove, within());
    const lease = await leaseOf();
    expect(lease).not.toBe('0');
    const { TTL } = await server.client.leaseClient.leaseTimeToLive({ ID: lease! });
    expect(Number(TTL)).toBeGreaterThanOrEqual(48 * 3600);
    await opened.store.update(shadow('doomed'), increment, within());
    expect(await leaseOf()).toBe('0');
    await opened.store.update(shadow('small'), remove, within());
    await opened.store.update(shadow('small'), increment, within());
    // Somebody revoked the lease that is handed out: the next delete takes a new one.
    await server.client.leaseClient.leaseRevoke({ ID: lease! });
    expect((await opened.store.update(shadow('doomed'), remove, within())).state).toMatchObject({ deleted: true });
    expect(await leaseOf()).not.toBe(lease);
  });
});
