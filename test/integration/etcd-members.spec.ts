import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { documentOf, increment, shadow, within } from '../harness/changes.js';
import { startMembers } from '../harness/etcd-members.js';
import { openEtcdStore } from '../harness/etcd-store.js';
import type { EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

/** Shadows that are written side by side, so that Txns hold several writes. */
const THINGS = Array.from({ length: 8 }, (_, i) => `member-${i}`);
/** Far beyond every fault: a write may be slow here, but it must not be lost or applied twice. */
const AMPLE = 60_000;

/** Every increment is acknowledged exactly once, whatever happens to the member that a node talks to (ETCD 3.3, 4). */
describe('a store over three members', () => {
  let members: EtcdServer[];
  let proxies: TcpProxy[];
  let opened: EtcdStore;

  beforeAll(async () => {
    members = await startMembers(3);
    proxies = await Promise.all(members.map(({ port }) => TcpProxy.start(port)));
    opened = openEtcdStore(
      proxies.map(({ endpoint }) => endpoint),
      { callTimeoutMs: 500 },
      { guardPeriodMs: 3_600_000 },
    );
  });
  afterAll(async () => {
    await opened.close();
    for (const proxy of proxies) await proxy.stop();
    await Promise.all(members.map((member) => member.stop()));
  });

  /** Index of the member that the store uses now. */
  const used = (): number => proxies.findIndex(({ endpoint }) => endpoint === opened.cluster.current().host);
  const counts = new Map(THINGS.map((thing) => [thing, 0]));

  /** Writes while `fault` happens, and for a while after it; reads must never go back. */
  async function writeThrough(fault: () => Promise<void> | void): Promise<void> {
    let isOver = false;
    let written = 0;
    const write = async (thing: string): Promise<void> => {
      for (let after = 0; after < 5; after += isOver ? 1 : 0) {
        const record = await opened.store.update(shadow(thing), increment, within(AMPLE));
        const count = counts.get(thing)! + 1;
        counts.set(thing, count);
        written++;
        expect(documentOf(record).reported).toEqual({ count });
        expect(documentOf(await opened.store.get(shadow(thing), within(AMPLE))).reported).toEqual({ count });
      }
    };
    const writing = Promise.all(THINGS.map(write));
    await until('some writes', () => written > 20);
    await fault();
    const before = written;
    await Promise.race([writing, until('more writes', () => written > before + 20)]);
    isOver = true;
    await writing;
  }

  it.each(['lose-responses', 'blackhole', 'refuse', 'cut-on-response'] as const)(
    'loses and repeats nothing when the line to its member has the fault: %s',
    async (mode) => {
      for (let round = 0; round < 3; round++) {
        const proxy = proxies[used()]!;
        await writeThrough(() => proxy.set(mode));
        proxy.set('pass');
        proxy.cutAll();
      }
    },
  );

  it('loses and repeats nothing when its member stands still and goes on', async () => {
    for (let round = 0; round < 2; round++) {
      const member = members[used()]!;
      await writeThrough(() => member.pause());
      member.resume();
    }
  });

  it('loses and repeats nothing when its member is killed and comes back', async () => {
    for (let round = 0; round < 2; round++) {
      const member = members[used()]!;
      await writeThrough(() => member.kill9());
      await member.restart();
    }
  });

  it('calls the leader, follows it when it moves, and goes on with another member while there is none', async () => {
    const ids = await Promise.all(
      members.map(({ client }) => client.maintenance.status().then(({ header }) => header.member_id)),
    );
    const leader = async (): Promise<number> => {
      const views = await Promise.all(members.map(({ client }) => client.maintenance.status().catch(() => null)));
      return ids.indexOf(views.find((view) => view !== null && view.leader !== '0')?.leader ?? '');
    };
    const follower = openEtcdStore(
      members.map(({ endpoint }) => endpoint),
      { callTimeoutMs: 500 },
      { guardPeriodMs: 50 },
    );
    try {
      const callsLeader = async (): Promise<boolean> =>
        follower.cluster.current().host === members[await leader()]?.endpoint;
      await until('it calls the leader', callsLeader);
      const first = await leader();
      const next = (first + 1) % 3;
      await members[first]!.client.maintenance.moveLeader({ targetID: ids[next]! });
      await until('it has followed', () => follower.cluster.current().host === members[next]!.endpoint);
      await members[next]!.kill9();
      // Writes go on as soon as the others have elected one of them.
      await follower.store.update(shadow('follower'), increment, within(AMPLE));
      await until('it calls the new one', callsLeader);
      await members[next]!.restart();
    } finally {
      await follower.close();
    }
  });
});
