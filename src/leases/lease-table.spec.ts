import { MemoryClusterKeys } from '../store/memory/memory-cluster-keys.js';
import { ServiceError } from '../errors/service-error.js';
import { SYSTEM_CLOCK } from '../resilience/clock.js';
import type { ClusterKeys, KeyChange } from '../store/cluster-keys.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { LeaseTable } from './lease-table.js';

const tableOf = (keys: ClusterKeys): LeaseTable => new LeaseTable(keys, SYSTEM_CLOCK, SILENT_LOGGER);
const inTime = (): number => performance.now() + 10_000;
const request = (...things: string[]) => ({ things, ttlSeconds: 30, exclusive: false });
const codeOf = (error: unknown): string => (error instanceof ServiceError ? error.code : String(error));

/** Loses the answers to some commits, or calls back just before they are carried out. */
class FaultyKeys extends MemoryClusterKeys {
  lose = 0;
  before: (() => Promise<unknown>) | null = null;

  override async commit(change: KeyChange): Promise<number | null> {
    const { before } = this;
    this.before = null;
    await before?.();
    const committed = await super.commit(change);
    if (this.lose === 0 || committed === null) return committed;
    this.lose--;
    // As a client that sends the change again.
    return super.commit(change);
  }
}

it('gives a thing to one of many who ask for it at once through several nodes', async () => {
  const keys = new MemoryClusterKeys();
  const nodes = [tableOf(keys), tableOf(keys), tableOf(keys)];
  const asked = Array.from({ length: 12 }, (_, i) =>
    nodes[i % 3]!.take('t', `p${i}`, request(i % 2 ? 'lamp-1' : 'lamp-*', `own-${i}`), inTime()),
  );
  const ends = (await Promise.allSettled(asked)).map((end) =>
    end.status === 'fulfilled' ? 'taken' : codeOf(end.reason),
  );
  expect(ends.sort()).toEqual([...Array(11).fill('leaseHeld'), 'taken']);
  expect(await nodes[0]!.list('t')).toHaveLength(1);
  expect(await nodes[0]!.take('other', 'p', request('lamp-1'), inTime())).toMatchObject({ record: { principal: 'p' } });
});

it('sees the lease that was taken between its look and its own commit', async () => {
  const keys = new FaultyKeys();
  const rival = tableOf(keys);
  keys.before = () => rival.take('t', 'rival', request('lamp'), inTime());
  await expect(tableOf(keys).take('t', 'p', request('lamp'), inTime())).rejects.toMatchObject({ code: 'leaseHeld' });
  expect((await rival.list('t')).map(({ record }) => record.principal)).toEqual(['rival']);
});

it('lets all have what nobody shares, with a higher token each time', async () => {
  const table = tableOf(new MemoryClusterKeys());
  const all = Array.from({ length: 8 }, (_, i) => table.take('t', 'p', request(`lamp-${i}`), inTime()));
  const tokens = (await Promise.all(all)).map(({ token }) => token);
  expect(new Set(tokens).size).toBe(8);
  const first = await table.take('t', 'p', request('door'), inTime());
  await table.end('t', first.id);
  const second = await table.take('t', 'p', request('door'), inTime());
  expect(second.token).toBeGreaterThan(first.token);
});

it('finds its own lease when the answer to the commit was lost', async () => {
  const keys = new FaultyKeys();
  keys.lose = 1;
  const lease = await tableOf(keys).take('t', 'p', request('lamp'), inTime());
  expect(keys.lose).toBe(0);
  expect(await tableOf(keys).list('t')).toEqual([{ id: lease.id, token: lease.token, record: lease.record }]);
});

it('gives the lease of etcd back when it was refused', async () => {
  const keys = new FaultyKeys();
  const rival = tableOf(keys);
  let granted = '';
  const grant = keys.grant.bind(keys);
  keys.grant = async (seconds) => (granted = await grant(seconds));
  keys.before = async () => {
    const mine = granted;
    await rival.take('t', 'rival', request('lamp'), inTime());
    granted = mine;
  };
  await tableOf(keys)
    .take('t', 'p', request('lamp'), inTime())
    .catch(() => undefined);
  expect(await keys.keepAlive(granted)).toBe(false);
});

it('ends with its time: it is not renewed, and its things are free', async () => {
  const keys = new MemoryClusterKeys();
  const table = tableOf(keys);
  const lease = await table.take('t', 'p', request('lamp'), inTime());
  expect(await table.renew('t', lease.id)).toMatchObject({ id: lease.id, token: lease.token });
  await keys.revoke([...keys.keys.values()].find((stored) => stored.lease !== null)!.lease!);
  for (const call of [table.renew('t', lease.id), table.get('t', lease.id), table.end('t', lease.id)])
    await expect(call).rejects.toMatchObject({ code: 'noRecord' });
  expect((await table.take('t', 'q', request('*'), inTime())).token).toBeGreaterThan(lease.token);
});

it('has bounds for leases and for names of a tenant', async () => {
  const keys = new MemoryClusterKeys();
  const value = (names: number): string =>
    JSON.stringify({ principal: 'p', things: Array.from({ length: names }, (_, i) => `x${i}`), ttlSeconds: 30 });
  const fill = (tenant: string, leases: number, names: number): Promise<unknown> =>
    keys.commit({
      guards: [],
      puts: Array.from({ length: leases }, (_, i) => ({ key: `leases/${tenant}/held/${i}`, value: value(names) })),
    });
  await fill('many', 1_000, 1);
  await fill('long', 100, 100);
  const table = tableOf(keys);
  const refusals = ['many', 'long'].map((tenant) => table.take(tenant, 'p', request('lamp'), inTime()));
  const ends = (await Promise.allSettled(refusals)).map((end) => end.status === 'rejected' && String(end.reason));
  expect(ends).toEqual([
    expect.stringContaining('the tenant has 1000 leases'),
    expect.stringContaining('may have 10000 names together'),
  ]);
});
