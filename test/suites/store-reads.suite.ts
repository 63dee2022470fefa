import type { ShadowKey, ShadowStore } from '../../src/store/shadow-store.js';
import type { Position } from '../../src/store/position.js';
import { RevisionGone } from '../../src/store/revision-gone.js';
import { increment, remove, shadow, within } from '../harness/changes.js';

export interface ReadsUnderTest {
  /** Two ways to the same data, as two nodes have. */
  readonly one: ShadowStore;
  readonly other: ShadowStore;
  /** Drops the history before a revision. */
  compact(revision: number): Promise<void>;
  close(): Promise<void>;
}

/** What every ShadowStore promises of the revisions that it reads at. */
export function testStoreReads(name: string, open: () => Promise<ReadsUnderTest>): void {
  describe(`reads of a shadow store: ${name}`, () => {
    let under: ReadsUnderTest;
    let one: ShadowStore;
    let other: ShadowStore;
    let things = 0;
    const fresh = (): ShadowKey => shadow(`read-${++things}`, 'n');

    beforeAll(async () => {
      under = await open();
      ({ one, other } = under);
    });
    afterAll(() => under.close());

    it('have the position of the read, also where the shadow has never been', async () => {
      const key = fresh();
      const before = await one.read(key, within());
      const { position } = await one.update(fresh(), increment, within());
      const after = await other.read(key, within());
      expect([before.record, after.record]).toEqual([null, null]);
      expect(after.position).toEqual({ ...position, revision: expect.any(Number) });
      expect(before.position.revision).toBeLessThan(position.revision);
      expect(after.position.revision).toBeGreaterThanOrEqual(position.revision);
    });

    it('are never older than a change that was answered before, and say so', async () => {
      const key = fresh();
      const written = await one.update(key, increment, within());
      const { position } = await one.update(fresh(), increment, within());
      const found = await other.get(key, within());
      expect(found?.position).toEqual(written.position);
      const { revision: names } = await other.listNames(key.tenant, key.thing, 1, undefined, within());
      const { revision: all } = await other.listThings(key.tenant, 1, undefined, within());
      expect(Math.min(found?.readAt ?? 0, names, all)).toBeGreaterThanOrEqual(position.revision);
    });

    it('of earlier revisions show what was, as far as the history reaches, and then what is the oldest one', async () => {
      const key = fresh();
      const first = await one.update(key, increment, within());
      const noise = await one.update(fresh(), increment, within());
      const second = await one.update(key, increment, within());
      const gone = await one.update(key, remove, within());
      const asOf = async ({ revision }: Position, by = other) => {
        const { record, position } = await by.readAsOf(key, revision, within());
        expect(position).toEqual({ ...gone.position, revision });
        return record;
      };
      expect(await asOf({ ...first.position, revision: first.position.revision - 1 })).toBeNull();
      expect(await asOf(first.position)).toEqual(first);
      expect(await asOf(noise.position)).toEqual(first);
      expect(await asOf(second.position)).toEqual(second);
      expect(await asOf(gone.position)).toEqual(gone);
      await under.compact(second.position.revision);
      expect(await asOf(second.position)).toEqual(second);
      for (const by of [one, other, one]) {
        const error = await asOf(noise.position, by).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(RevisionGone);
        expect(error).toMatchObject({ code: 'revisionGone', oldest: second.position.revision });
      }
      const ahead = await one.readAsOf(key, gone.position.revision + 1e6, within()).catch((caught: unknown) => caught);
      expect(ahead).toMatchObject({ code: 'revisionAhead' });
    });
  });
}
