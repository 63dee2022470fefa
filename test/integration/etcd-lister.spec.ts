import type { ShadowStore } from '../../src/store/shadow-store.js';
import { formatKey } from '../../src/store/etcd/keys.js';
import { increment, shadow, within } from '../harness/changes.js';
import { openEtcdStore } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';

// Deleted shadows stay as keys for 48 h, and lists read keys.
describe('lists past many tombstones', () => {
  /** More than the lister reads at once. */
  const TOMBSTONES = 2_100;
  let server: EtcdServer;
  let store: ShadowStore;
  let close: () => Promise<void>;

  beforeAll(async () => {
    server = await startEtcd();
    const opened = openEtcdStore([server.endpoint]);
    store = opened.store;
    close = () => store.close();
    const lease = await server.client.lease(3600, { autoKeepAlive: false }).grant();
    for (let from = 0; from < TOMBSTONES; from += 100) {
      const success = Array.from({ length: 100 }, (_, i) => ({
        request_put: {
          key: Buffer.from(formatKey('/test/v1/', shadow('worn', `n-${String(from + i).padStart(5, '0')}`, 'list'))),
          value: Buffer.from(
            '{"version":1,"deletedAt":1,"change":{"kind":"delete","principal":"p","at":1},"writes":[]}',
          ),
          lease,
        },
      }));
      await server.client.kv.txn({ success });
    }
    await store.update(shadow('worn', 'z-live', 'list'), increment, within());
    await store.update(shadow('other', null, 'list'), increment, within());
  });
  afterAll(async () => {
    await close();
    await server.stop();
  });

  it('have a thing whose first live shadow comes after 2,100 deleted ones', async () => {
    const found: unknown[] = [];
    let after: string | undefined;
    do {
      const page = await store.listThings('list', 10, after, within());
      found.push(...page.things);
      after = page.next;
    } while (after !== undefined);
    expect(found).toHaveLength(2);
    expect(found).toContainEqual({ thing: 'worn', shadows: ['z-live'] });
    expect(found).toContainEqual({ thing: 'other', shadows: [null] });
  });

  it('have its name on the first page, however small', async () => {
    expect(await store.listNames('list', 'worn', 1, undefined, within())).toMatchObject({ names: ['z-live'] });
  });

  it('say that a thing has more than 100 live shadows only when it has', async () => {
    const names = Array.from({ length: 99 }, (_, i) => `zz-${String(i).padStart(3, '0')}`);
    await Promise.all(names.map((name) => store.update(shadow('worn', name, 'list'), increment, within(10_000))));
    const thing = async () =>
      (await store.listThings('list', 100, undefined, within())).things.find((each) => each.thing === 'worn');
    expect(await thing()).toEqual({ thing: 'worn', shadows: ['z-live', ...names] });
    await store.update(shadow('worn', 'zzz', 'list'), increment, within());
    expect(await thing()).toEqual({ thing: 'worn', shadows: ['z-live', ...names], truncated: true });
  });
});
