import type { ShadowKey, ShadowStore } from '../../src/store/shadow-store.js';
import { increment, shadow, within } from '../harness/changes.js';

export interface ReadsUnderTest {
  /** Two ways to the same data, as two nodes have. */
  readonly one: ShadowStore;
  readonly other: ShadowStore;
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
  });
}
