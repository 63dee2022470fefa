import type { ShadowState } from '../../src/document/shadow-document.js';
import { isTombstone } from '../../src/document/shadow-document.js';
import { ServiceError } from '../../src/errors/service-error.js';
import type { ClusterKeys } from '../../src/store/cluster-keys.js';
import type { Change, Changed, ShadowKey, ShadowStore } from '../../src/store/shadow-store.js';
import { GuardedLeaseGone, GuardFailed, type GuardedKey, type JointChange } from '../../src/store/transaction.js';
import { documentOf, expectVersion, increment, remove, report, shadow, within } from '../harness/changes.js';

export interface TransactionsUnderTest {
  /** Two ways to the same data, as two nodes have. */
  readonly one: ShadowStore;
  readonly other: ShadowStore;
  /** The keys beside the shadows. */
  readonly keys: ClusterKeys;
  close(): Promise<void>;
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof ServiceError ? error.code : String((error as Error).name)),
  );

/** One change for each shadow; null only compares it. */
export const each =
  (...changes: readonly (Change | null)[]): JointChange =>
  (current) =>
    changes.map((change, i) => change && change(current[i] ?? null));

/** Its `reported.count`; 0 without one. */
export const countOf = (state: ShadowState | null | undefined): number =>
  state && !isTombstone(state) ? Number(state.reported?.count ?? 0) : 0;

/** Moves one from the first shadow to the second, and refuses to go below zero. */
export const move: JointChange = ([from, to]) => {
  if (countOf(from) < 1) throw new ServiceError('preconditionFailed', 'nothing is left');
  const put = (state: ShadowState | null | undefined, count: number): Changed => report({ count })(state ?? null);
  return [put(from, countOf(from) - 1), put(to, countOf(to) + 1)];
};

/** What every ShadowStore promises about transactions. */
export function testTransactions(name: string, open: () => Promise<TransactionsUnderTest>): void {
  describe(`transactions: ${name}`, () => {
    let under: TransactionsUnderTest;
    let one: ShadowStore;
    let other: ShadowStore;
    let things = 0;
    const fresh = (count: number): ShadowKey[] => Array.from({ length: count }, () => shadow(`tx-${++things}`));
    const get = async (key: ShadowKey) => (await other.get(key, within()))?.state ?? null;

    beforeAll(async () => {
      under = await open();
      ({ one, other } = under);
    });
    afterAll(() => under.close());

    it('change 100 shadows at one revision, in the order of the keys', async () => {
      const keys = fresh(100);
      const { position, records } = await one.transact({ keys, change: each(...keys.map(() => increment)) }, within());
      expect(records.map((record) => record!.key)).toEqual(keys);
      for (const [i, key] of keys.entries()) {
        const found = await other.get(key, within());
        expect(found).toMatchObject(records[i]!);
        expect(found!.position).toEqual(position);
      }
      const again = await other.transact({ keys, change: each(...keys.map(() => increment)) }, within());
      expect(again.records.map((record) => documentOf(record).version)).toEqual(keys.map(() => 2));
      expect(again.position.revision).toBeGreaterThan(position.revision);
    });

    it('create, delete, leave alone and make anew in one', async () => {
      const [made, gone, left, absent] = fresh(4) as [ShadowKey, ShadowKey, ShadowKey, ShadowKey];
      await one.transact({ keys: [gone, left], change: each(increment, increment) }, within());
      const kept = await one.get(left, within());
      const { records } = await one.transact(
        { keys: [absent, left, gone, made], change: each(null, null, remove, increment) },
        within(),
      );
      expect(records[0]).toBeNull();
      expect(kept).toMatchObject(records[1]!);
      expect(records[2]).toMatchObject({ state: { deleted: true, version: 1 } });
      expect(await other.get(gone, within())).toMatchObject(records[2]!);
      expect((await other.get(left, within()))!.position).toEqual(kept!.position);
      expect(documentOf(records[3]!).version).toBe(1);
      const anew = await other.transact({ keys: [made, gone], change: each(null, increment) }, within());
      expect(anew.records.map((record) => documentOf(record).version)).toEqual([1, 2]);
    });

    it('write nothing at all when one change is refused, also on a stale guess', async () => {
      const [a, b] = fresh(2) as [ShadowKey, ShadowKey];
      await one.transact({ keys: [a, b], change: each(increment, increment) }, within());
      await other.update(b, increment, within());
      const stale = { keys: [a, b], change: each(increment, expectVersion(1, increment)) };
      expect(await codeOf(one.transact(stale, within()))).toBe('versionConflict');
      expect(countOf(await get(a))).toBe(1);
      // The first node may still think that it is version 1.
      await other.update(b, increment, within());
      const { records } = await one.transact(
        { keys: [a, b], change: each(increment, expectVersion(3, increment)) },
        within(),
      );
      expect(records.map((record) => documentOf(record).version)).toEqual([2, 4]);
    });

    it('compare what they only check at the moment of the commit', async () => {
      const [switched, counted] = fresh(2) as [ShadowKey, ShadowKey];
      await one.update(switched, report({ open: true }), within());
      // The second node has both in its cache, and does not see that one changes.
      await other.update(counted, increment, within());
      await other.get(switched, within());
      await one.update(switched, report({ open: false }), within());
      const whileOpen: JointChange = ([state, count]) => {
        if (!state || isTombstone(state) || state.reported?.open !== true) throw new ServiceError('preconditionFailed');
        return [null, increment(count ?? null)];
      };
      const transaction = { keys: [switched, counted], change: whileOpen };
      expect(await codeOf(other.transact(transaction, within()))).toBe('preconditionFailed');
      expect(countOf(await get(counted))).toBe(1);
      const { records, position } = await one.transact({ keys: [switched], change: each(null) }, within());
      expect(documentOf(records[0]!).version).toBe(2);
      expect(position.revision).toBeGreaterThanOrEqual(records[0]!.position.revision);
    });

    it('keep a sum while transactions and single updates of two nodes change the same shadows', async () => {
      const keys = fresh(5);
      const bystander = fresh(1)[0]!;
      await one.transact({ keys, change: each(...keys.map(() => report({ count: 20 }))) }, within());
      const results = await Promise.all(
        Array.from({ length: 120 }, async (_, i) => {
          const store = i % 2 ? one : other;
          const [from, to] = [keys[(i * 7) % 5]!, keys[(i * 7 + 1 + (i % 3)) % 5]!];
          // Changes nothing that counts, but the revision that the transactions depend on.
          const touch: Change = (current) => report({ count: countOf(current) })(current);
          const single = store.update(i % 3 ? from : bystander, touch, within(20_000));
          const moved = await codeOf(store.transact({ keys: [from, to], change: move }, within(20_000)));
          await single;
          return moved;
        }),
      );
      expect(new Set(results)).toEqual(new Set(['none']));
      const counts = await Promise.all(keys.map(async (key) => countOf(await get(key))));
      expect(counts.reduce((sum, count) => sum + count)).toBe(100);
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(0);
    }, 30_000);

    it('refuse a deadline that has passed and a signal that is aborted, with nothing written', async () => {
      const keys = fresh(2);
      const transaction = { keys, change: each(increment, increment) };
      expect(await codeOf(one.transact(transaction, within(-1)))).toBe('storageUnavailable');
      expect(await codeOf(one.transact(transaction, { ...within(), signal: AbortSignal.abort() }))).toBe('fenced');
      expect(await get(keys[0]!)).toBeNull();
      expect((await one.transact(transaction, within())).records).toHaveLength(2);
    });

    it.each([
      ['no shadow', []],
      ['101 shadows', Array.from({ length: 101 }, (_, i) => shadow(`many-${i}`))],
      ['a shadow twice', [shadow('twice', 'a'), shadow('twice'), shadow('twice', 'a')]],
      ['two tenants', [shadow('mine'), shadow('theirs', null, 'other')]],
    ])('refuse %s', async (_, keys) => {
      expect(await codeOf(one.transact({ keys, change: () => keys.map(() => null) }, within()))).toBe('RangeError');
    });

    describe('a guarded key', () => {
      const guard = (key: string, revision: number | null, value?: string, lease?: string): GuardedKey => ({
        key,
        revision,
        ...(value === undefined ? {} : { put: { value: () => value, ...(lease === undefined ? {} : { lease }) } }),
      });
      const failure = async (promise: Promise<unknown>): Promise<GuardFailed> => {
        const error = await promise.catch((thrown: unknown) => thrown);
        if (!(error instanceof GuardFailed)) throw new Error(`no guard failed: ${String(error)}`);
        return error;
      };

      it('is put with the shadows, once, and is found before an error of the change', async () => {
        const [key] = fresh(1) as [ShadowKey];
        const lease = await under.keys.grant(60);
        const name = `idempotency/${key.thing}`;
        const put = (made: readonly (Changed | null)[]) => `made version ${made[0]!.state.version}`;
        const guarded = [{ key: name, revision: null, put: { value: put, lease } }];
        const transaction = { keys: [key], change: each(expectVersion(0, increment)), guarded };
        const { position } = await one.transact(transaction, within());
        const stored = await under.keys.get(name);
        expect(stored).toMatchObject({ value: 'made version 1' });
        const failed = await failure(one.transact(transaction, within()));
        expect(failed).toMatchObject({ key: name, current: { value: 'made version 1', revision: stored!.revision } });
        expect(await failure(other.transact(transaction, within()))).toMatchObject({
          current: { value: 'made version 1' },
        });
        expect((await one.get(key, within()))!.position).toEqual(position);
        await under.keys.revoke(lease);
        expect(await under.keys.get(name)).toBeNull();
      });

      it('that is only compared holds at its revision, and lets nothing through once it has moved', async () => {
        const [key] = fresh(1) as [ShadowKey];
        const name = `lease/${key.thing}`;
        const revision = (await under.keys.commit({ guards: [], puts: [{ key: name, value: 'holder' }] }))!;
        const transaction = {
          keys: [key],
          change: each(increment),
          guarded: [guard(name, revision), guard(`${name}/no`, null)],
        };
        await one.transact(transaction, within());
        await under.keys.commit({ guards: [], puts: [{ key: name, value: 'successor' }] });
        expect(await failure(one.transact(transaction, within()))).toMatchObject({
          key: name,
          current: { value: 'successor' },
        });
        await under.keys.commit({ guards: [], deletes: [name] });
        expect(await failure(other.transact(transaction, within()))).toMatchObject({ key: name, current: null });
        expect(countOf(await get(key))).toBe(1);
      });

      it('moves on with a transaction that writes no shadow', async () => {
        const [key] = fresh(1) as [ShadowKey];
        const name = `counter/${key.thing}`;
        const change = each(null);
        await one.transact({ keys: [key], change, guarded: [guard(name, null, 'first')] }, within());
        const { revision } = (await under.keys.get(name))!;
        await one.transact({ keys: [key], change, guarded: [guard(name, revision, 'second')] }, within());
        expect(await under.keys.get(name)).toMatchObject({ value: 'second' });
        expect(await get(key)).toBeNull();
      });

      it('whose lease has ended refuses the transaction, with nothing written', async () => {
        const [a, b] = fresh(2) as [ShadowKey, ShadowKey];
        await one.update(b, increment, within());
        const lease = await under.keys.grant(60);
        await under.keys.revoke(lease);
        const guarded = [guard(`late/${a.thing}`, null, 'late', lease)];
        // With a tombstone, whose own lease is not the one that has ended.
        const transaction = { keys: [a, b], change: each(increment, remove), guarded };
        expect(await codeOf(one.transact(transaction, within()))).toBe(GuardedLeaseGone.name);
        expect(await get(a)).toBeNull();
        expect(countOf(await get(b))).toBe(1);
      });
    });

    it('are refused with draining after close', async () => {
      const { one: closing, close } = await open();
      await closing.close();
      expect(await codeOf(closing.transact({ keys: fresh(1), change: each(increment) }, within()))).toBe('draining');
      await close();
    });
  });
}
