import type { JsonObject } from '../../src/document/shadow-document.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import { applyUpdate } from '../../src/document/apply-update.js';
import { StoredUpdate } from '../../src/document/stored-document.js';
import { ServiceError } from '../../src/errors/service-error.js';
import { LeaseTable, type LiveLease } from '../../src/leases/lease-table.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import { leaseKey } from '../../src/store/exclusive-claims.js';
import type { Change, Fence, ShadowKey, ShadowStore } from '../../src/store/shadow-store.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { documentOf, remove, shadow, within } from '../harness/changes.js';
import type { TransactionsUnderTest } from './transactions.suite.js';

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

/** Merges as a node does. */
const merge =
  (state: { desired?: JsonObject | null; reported?: JsonObject }): Change =>
  (current) => {
    const limits = { maxDocumentBytes: 8192, maxDepth: 6 } as Parameters<typeof applyUpdate>[2]['limits'];
    const made = applyUpdate(current, { state }, { now: 1_700_000_000_000, limits });
    return { state: made, change: new StoredUpdate(state, undefined, 'test', 1_700_000_000_000) };
  };
export const want = (by: string): Change => merge({ desired: { by } });
export const tell = (by: string): Change => merge({ reported: { by } });

/** What every ShadowStore promises about exclusive leases. */
export function testExclusiveLeases(name: string, open: () => Promise<TransactionsUnderTest>): void {
  describe(`exclusive leases: ${name}`, () => {
    let under: TransactionsUnderTest;
    let one: ShadowStore;
    let other: ShadowStore;
    let leases: LeaseTable;
    let things = 0;
    const fresh = (): ShadowKey => shadow(`excl-${++things}`);

    beforeAll(async () => {
      under = await open();
      ({ one, other } = under);
      leases = new LeaseTable(under.keys, SYSTEM_CLOCK, SILENT_LOGGER);
    });
    afterAll(() => under.close());

    const take = (...names: string[]): Promise<LiveLease> =>
      leases.take('acme', 'ann', { things: names, ttlSeconds: 60, exclusive: true }, performance.now() + 5_000);
    const fenceOf = ({ id, token }: LiveLease): Fence => ({ claim: leaseKey('acme', id), revision: token });
    const write = (store: ShadowStore, key: ShadowKey, change: Change, fence?: Fence) =>
      codeOf(store.update(key, change, { ...within(), fence }));

    it('refuse the next write of others to desired on a node that has never heard of the lease', async () => {
      const key = fresh();
      expect(await write(one, key, want('plain'))).toBe('none');
      const lease = await take(key.thing);
      for (const change of [want('late'), merge({ desired: null, reported: {} }), remove])
        expect(await write(one, key, change)).toBe('leaseExclusive');
      expect(await write(other, { ...key, name: 'named' }, want('late'))).toBe('leaseExclusive');
      // What leaves desired alone is free.
      expect(await write(one, key, tell('device'))).toBe('none');
      expect(await write(one, key, merge({ desired: {}, reported: { at: 1 } }))).toBe('none');
      const { version, desired } = documentOf(await other.get(key, within()));
      expect([version, desired]).toEqual([3, { by: 'plain' }]);
      await leases.end('acme', lease.id);
    });

    it('let their holder write, and everybody as soon as they have ended', async () => {
      const key = fresh();
      const lease = await take(`${key.thing}*`);
      for (const store of [one, other]) expect(await write(store, key, want('holder'), fenceOf(lease))).toBe('none');
      expect(await write(one, key, want('plain'))).toBe('leaseExclusive');
      await leases.end('acme', lease.id);
      expect(await write(one, key, want('holder'), fenceOf(lease))).toBe('fenced');
      expect(await write(one, key, want('plain'))).toBe('none');
      expect(documentOf(await one.get(key, within())).version).toBe(3);
    });

    it('tell a holder whose lease has ended so, although another one has the thing now', async () => {
      const key = fresh();
      const old = await take(key.thing);
      expect(await write(one, key, want('old'), fenceOf(old))).toBe('none');
      await leases.end('acme', old.id);
      const heir = await take(key.thing);
      expect(await write(one, key, want('late'), fenceOf(old))).toBe('fenced');
      expect(await write(other, key, want('heir'), fenceOf(heir))).toBe('none');
      await leases.end('acme', heir.id);
    });

    it('leave things of others, and other tenants, alone', async () => {
      const key = fresh();
      const lease = await take(key.thing);
      expect(await write(one, fresh(), want('plain'))).toBe('none');
      expect(await write(one, { ...key, tenant: 'other' }, want('plain'))).toBe('none');
      await leases.end('acme', lease.id);
    });

    it('refuse a transaction as a whole that writes one of their things', async () => {
      const [mine, theirs] = [fresh(), fresh()];
      const keys = [mine, theirs];
      const transact = (store: ShadowStore, changes: readonly (Change | null)[], fence?: Fence) =>
        codeOf(
          store.transact(
            { keys, change: (current) => changes.map((change, i) => change && change(current[i] ?? null)) },
            { ...within(), fence },
          ),
        );
      expect(await transact(one, [want('a'), want('b')])).toBe('none');
      const lease = await take(theirs.thing);
      for (const changes of [
        [want('a'), want('b')],
        [null, remove],
        [tell('a'), want('b')],
      ])
        expect(await transact(one, changes)).toBe('leaseExclusive');
      expect(await transact(one, [want('c'), tell('device')])).toBe('none');
      expect(await transact(one, [want('c'), null])).toBe('none');
      expect(await transact(other, [null, want('holder')], fenceOf(lease))).toBe('none');
      await leases.end('acme', lease.id);
      expect(await transact(one, [remove, remove])).toBe('none');
      expect(isTombstone((await other.get(theirs, within()))!.state)).toBe(true);
    });
  });
}
