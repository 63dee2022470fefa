import { ServiceError } from '../../src/errors/service-error.js';
import type { ShadowKey } from '../../src/store/shadow-store.js';
import { documentOf, increment, remove, within } from '../harness/changes.js';
import type { StoreUnderTest } from './shadow-store.suite.js';

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

/** What every ShadowStore promises about the claims that writes depend on. @param under the store, once it is open */
export function testFences(under: () => StoreUnderTest, fresh: () => ShadowKey): void {
  describe('a fence', () => {
    it('lets a write through while the claim is what it was, and refuses it afterwards, with nothing written', async () => {
      const { one, other, claims } = under();
      if (!claims) return;
      const key = fresh();
      const fence = { claim: `suite/${key.thing}`, revision: await claims.put(`suite/${key.thing}`) };
      expect(documentOf(await one.update(key, increment, { ...within(), fence })).version).toBe(1);
      // Many writes of one batch may name the same claim.
      const keys = Array.from({ length: 20 }, () => fresh());
      await Promise.all(keys.map((each) => one.update(each, increment, { ...within(), fence })));
      const { revision } = fence;
      await claims.put(fence.claim);
      expect(await codeOf(one.update(key, increment, { ...within(), fence }))).toBe('fenced');
      await claims.end(fence.claim);
      expect(await codeOf(other.update(key, increment, { ...within(), fence }))).toBe('fenced');
      expect(await claims.put(fence.claim)).toBeGreaterThan(revision);
      expect(await codeOf(one.update(key, remove, { ...within(), fence }))).toBe('fenced');
      expect(documentOf(await one.get(key, within()))).toMatchObject({ version: 1, reported: { count: 1 } });
      expect(documentOf(await one.update(key, increment, within())).version).toBe(2);
    });

    it('counts as an accessor too, for a change and for what is submitted', async () => {
      const { one, claims } = under();
      if (!claims) return;
      const claim = `suite/accessor-${fresh().thing}`;
      const revision = await claims.put(claim);
      await claims.put(claim);
      class Options {
        readonly deadline = within().deadline;
        get fence() {
          return { claim, revision };
        }
      }
      expect(await codeOf(one.update(fresh(), increment, new Options()))).toBe('fenced');
    });

    it('is asked once more, where it says how, and decides the end of the write', async () => {
      const { one, other, claims } = under();
      if (!claims) return;
      const key = fresh();
      const claim = `suite/again-${key.thing}`;
      const asked: number[] = [];
      const again = async (attempt: number): Promise<number> => {
        asked.push(attempt);
        return attempt < 2 ? 1 : claims.put(claim);
      };
      const free = { claim, revision: 0, again };
      expect(documentOf(await one.update(key, increment, { ...within(), fence: free })).version).toBe(1);
      await claims.put(claim);
      expect(documentOf(await one.update(key, increment, { ...within(), fence: free })).version).toBe(2);
      expect(asked).toEqual([1, 2]);
      const ends = async (): Promise<number> => {
        throw new ServiceError('sessionFollowed');
      };
      const stopped = { claim, revision: 1, again: ends };
      expect(await codeOf(other.update(key, increment, { ...within(), fence: stopped }))).toBe('sessionFollowed');
      expect(documentOf(await one.get(key, within())).version).toBe(2);
    });

    it('that holds leaves a lost race what it is: the change is made again', async () => {
      const { one, other, claims } = under();
      if (!claims) return;
      const key = fresh();
      const fence = { claim: `suite/${key.thing}`, revision: await claims.put(`suite/${key.thing}`) };
      await one.update(key, increment, { ...within(), fence });
      await other.update(key, increment, within());
      const record = await one.update(key, increment, { ...within(), fence });
      expect(documentOf(record)).toMatchObject({ version: 3, reported: { count: 3 } });
    });
  });
}
