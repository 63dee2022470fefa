import { MemoryClusterKeys } from '../store/memory/memory-cluster-keys.js';
import { recordKey, RECORDS, writeRecord } from '../store/presence-record.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { SettableClock } from '../../test/harness/clock.js';
import { until } from '../../test/harness/until.js';
import { clientsBeyond } from './client-room.js';
import { KnownPresence } from './known-presence.js';
import { OldClients } from './old-clients.js';

const SELF = 'a.00000001';
const MINUTE = 60_000;
const abort = new AbortController();
afterAll(() => abort.abort());

it.each<[Record<string, number>, Record<string, number>]>([
  [{ red: 95 }, {}],
  [{ red: 96 }, { red: 1 }],
  [{ red: 200 }, { red: 105 }],
  // An equal share is 47.5.
  [{ red: 90, blue: 10 }, { red: 5 }],
  [
    { red: 60, blue: 60 },
    { red: 13, blue: 13 },
  ],
  [
    { red: 80, blue: 50, green: 10 },
    { red: 33, blue: 13 },
  ],
  [{}, {}],
])('of 100 clients at most, %j give %j', (sizes, given) =>
  expect(Object.fromEntries(clientsBeyond(new Map(Object.entries(sizes)), 100))).toEqual(given),
);

/** A node that knows these clients, of tenants: the minutes since each has left; 0: it is connected. */
async function started(clients: Record<string, readonly number[]>, maxClients: number) {
  const cluster = new MemoryClusterKeys();
  const clock = new SettableClock();
  const known = new KnownPresence(RECORDS);
  const put = (tenant: string, minutes: number): Promise<unknown> => {
    const since = clock.now() - minutes * MINUTE;
    const record = { connected: minutes === 0, since, lastSeen: since, instance: SELF, session: 's', principal: 'p' };
    const key = RECORDS + recordKey({ tenant, clientId: `left-${minutes}` });
    return cluster.commit({ guards: [], puts: [{ key, value: writeRecord({ ...record, ...REST }) }] });
  };
  for (const [tenant, each] of Object.entries(clients)) for (const minutes of each) await put(tenant, minutes);
  const commits: number[] = [];
  /** Runs before the next commit. */
  const hooks: (() => Promise<unknown>)[] = [];
  const keys = {
    commit: async (change: Parameters<MemoryClusterKeys['commit']>[0]) => {
      commits.push(change.deletes?.length ?? 0);
      await hooks.shift()?.();
      return cluster.commit(change);
    },
  };
  const self = { id: SELF, lease: 'lease' };
  const old = new OldClients({ keys, self, known, maxClients, clock, logger: SILENT_LOGGER });
  known.watch = cluster.watch(RECORDS, known, abort.signal);
  await until('the records', () => known.isReady);
  const look = async (live: readonly string[] = [SELF]): Promise<void> => {
    old.see({ live });
    await old.idle();
    const isTold = ([key, { revision }]: [string, { revision: number }]): boolean =>
      known.get(key.slice(RECORDS.length))?.revision === revision;
    await until('the watch', () => known.size === cluster.keys.size && [...cluster.keys].every(isTold));
  };
  const left = (): string[] => [...cluster.keys.keys()].map((key) => key.slice(RECORDS.length)).sort();
  return { look, left, put, commits, hooks, clock, old };
}

const REST = { address: '127.0.0.1', epoch: null, ended: null };
const minutesFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

it('those that left first are forgotten, up to the part that stays free', async () => {
  const node = await started({ red: [300, 100, 0, 200, 400], blue: [500] }, 4);
  await node.look();
  // Three are left, and blue has not more than its share.
  expect(node.left()).toEqual(['blue/left-500', 'red/left-0', 'red/left-100']);
  await node.look();
  expect(node.commits).toEqual([3]);
});

it('nobody is who is connected, has left within the hour, or has come back meanwhile', async () => {
  const node = await started({ red: [0, 10, 59, 100, 90] }, 2);
  node.hooks.push(() => node.put('red', 100));
  await node.look();
  expect(node.left()).toHaveLength(5);
  // There were too few: the tenant is looked at again a minute later.
  await node.look();
  expect(node.commits).toEqual([2]);
  node.clock.advance(MINUTE);
  await node.look();
  expect(node.left()).toEqual(['red/left-0', 'red/left-10']);
});

it('they go in bounded transactions, at one node, and 1,000 at a look', async () => {
  const node = await started({ red: minutesFrom(61, 1_250) }, 100);
  await node.look(['b.00000002']);
  expect(node.commits).toEqual([]);
  await node.look();
  expect(node.commits).toEqual(Array.from({ length: 10 }, () => 100));
  // The one that left last is there; the one that left first is not.
  expect([node.left().includes('red/left-61'), node.left().includes('red/left-1310')]).toEqual([true, false]);
  await node.look();
  expect(node.left()).toHaveLength(95);
  await node.old.stop();
  await node.look();
  expect(node.commits).toHaveLength(12);
});
