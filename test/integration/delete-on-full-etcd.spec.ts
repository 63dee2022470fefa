import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { loadConfig } from '../../src/config/load-config.js';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import type { ShadowKey, ShadowRecord } from '../../src/store/shadow-store.js';
import type { Storage } from '../../src/store/storage.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { documentOf, increment, remove, shadow, within } from '../harness/changes.js';
import { etcdConfig } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { until } from '../harness/until.js';

const MIB = 1024 * 1024;

/** The refusal of a full storage says that deletes go on: also on a node that has no lease for a tombstone yet. */
describe('a delete on a full etcd', () => {
  let server: EtcdServer;
  const opened: Storage[] = [];
  const end = new AbortController();
  beforeAll(async () => void (server = await startEtcd({ quotaBytes: 16 * MIB })));
  afterAll(async () => {
    end.abort();
    for (const storage of opened) await storage.close();
    await server.stop();
  });

  const open = (): Storage => {
    const config = { ...loadConfig({}), etcd: etcdConfig([server.endpoint]) };
    const storage = openEtcdStorage({ config, logger: SILENT_LOGGER, clock: SYSTEM_CLOCK });
    opened.push(storage);
    return storage;
  };
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 64; i++) await server.client.kv.put({ key: Buffer.from('foreign'), value: Buffer.alloc(MIB) });
  };
  /** The deletions that a node's feed tells. */
  const follow = async ({ feed }: Storage): Promise<ShadowRecord[]> => {
    const told: ShadowRecord[] = [];
    const from = await feed.head(end.signal);
    void (async () => {
      for await (const { records } of feed.after(from, end.signal)) {
        told.push(...records.filter(({ change }) => change.kind === 'delete'));
      }
    })().catch(() => undefined);
    return told;
  };

  it('leaves a tombstone on a node that was there before, though nobody saw the storage fill up', async () => {
    const node = open();
    const key = shadow('kept');
    await node.store.update(key, increment, within());
    await node.store.update(key, increment, within());
    await until('a lease at hand', async () => (await server.client.leaseClient.leaseLeases({})).leases.length > 0);
    await expect(fill()).rejects.toThrow('database space exceeded');
    await node.store.update(key, remove, within());
    await makeRoom();
    expect(await versionAfterRoom(node, key)).toBe(3);
  });

  it('works on a fresh node, and every reader is told once', async () => {
    const before = open();
    const key = shadow('doomed');
    await before.store.update(key, increment, within());
    await before.store.update(key, increment, within());
    // An ordinary tombstone, whose end nobody is told of.
    await before.store.update(shadow('ended'), increment, within());
    await before.store.update(shadow('ended'), remove, within());
    const toldBefore = await follow(before);
    await expect(fill()).rejects.toThrow('database space exceeded');

    const fresh = open();
    const toldFresh = await follow(fresh);
    // Its event comes before the one of the deletion.
    const { leases } = await server.client.leaseClient.leaseLeases({});
    for (const { ID } of leases) await server.client.leaseClient.leaseRevoke({ ID });
    const deleted = await fresh.store.update(key, remove, within());
    expect(deleted).toMatchObject({
      state: { deleted: true, version: 2 },
      change: { kind: 'delete', principal: 'test' },
    });
    expect(await before.store.get(key, within())).toBeNull();
    await expect(fresh.store.update(key, remove, within())).rejects.toMatchObject({ code: 'notFound' });

    await until('the deletion is told', () => toldBefore.length > 0 && toldFresh.length > 0);
    // The node that made it knows who did.
    expect(toldFresh).toEqual([{ ...deleted, bytes: undefined }]);
    expect(toldBefore).toMatchObject([
      { key, state: { deleted: true, version: 2 }, change: { kind: 'delete' }, position: deleted.position },
    ]);

    // The memory of the version is lost with the tombstone.
    await makeRoom();
    expect(await versionAfterRoom(fresh, key)).toBe(1);
  });

  async function makeRoom(): Promise<void> {
    const { header } = await server.client.kv.range({ key: Buffer.from('x') });
    await server.client.kv.compact({ revision: header.revision, physical: true });
    await server.client.maintenance.defragment();
    const { alarms } = await server.client.maintenance.alarm({});
    for (const alarm of alarms) await server.client.maintenance.alarm({ action: 'Deactivate', ...alarm });
  }

  async function versionAfterRoom(node: Storage, key: ShadowKey): Promise<number> {
    const versions: number[] = [];
    await until('there is room again', async () => {
      const again = await node.store.update(key, increment, within()).catch(() => null);
      if (again) versions.push(documentOf(again).version);
      return again !== null;
    });
    return versions[0] ?? Number.NaN;
  }
});
