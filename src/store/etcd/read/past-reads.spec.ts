import { ServiceError } from '../../../errors/service-error.js';
import { RevisionGone } from '../../revision-gone.js';
import { Lineage } from '../lineage.js';
import { PastReads } from './past-reads.js';
import type { ReadResult } from './read-batcher.js';

/** An etcd that had compacted up to 900 of 1,000 revisions; its backup, which is restored meanwhile, has 10 to 20. */
function restoredAfter(reads: number) {
  const lineage = new Lineage();
  let [oldest, head, asked] = [900, 1_000, 0];
  const get = (_: string, __: number, revision: number | null = null): Promise<ReadResult> => {
    if (++asked === reads) {
      [oldest, head] = [10, 20];
      lineage.enter(1);
    }
    if (revision !== null && (revision < oldest || revision > head))
      return Promise.reject(new ServiceError('cursorGone'));
    return Promise.resolve({ current: null, position: lineage.position({ cluster_id: '1', revision: head }) });
  };
  const past = new PastReads({ get, close: () => undefined }, lineage);
  return (revision: number) => past.get('key', 1e9, revision);
}

it('tells the oldest revision, and knows it from then on', async () => {
  const read = restoredAfter(Infinity);
  await expect(read(100)).rejects.toEqual(new RevisionGone('revision 100', 900));
  await expect(read(15)).rejects.toEqual(new RevisionGone('revision 15', 900));
  expect((await read(950)).position.revision).toBe(1_000);
});

it.each([1, 2, 3, 5, 8])('takes nothing over from a history that was left during its read %i', async (reads) => {
  const read = restoredAfter(reads);
  await read(100).catch(() => undefined);
  expect((await read(15)).position.revision).toBe(20);
});
