import { SettableClock } from '../../test/harness/clock.js';
import type { ShadowRecord, ShadowStore } from '../store/shadow-store.js';
import { PreviousDocuments } from './previous-documents.js';

const recordAt = (version: number) => ({ state: { version, desired: {}, reported: {} } }) as unknown as ShadowRecord;

function documentsOf(maxEntries: number): PreviousDocuments {
  return new PreviousDocuments({ requestTimeoutMs: 1_000 }, new SettableClock(), {} as ShadowStore, maxEntries);
}

describe('PreviousDocuments', () => {
  it('keeps as many states as it may, the last ones used', () => {
    const documents = documentsOf(2);
    for (const id of ['a', 'b', 'c']) documents.keep(id, recordAt(1));
    const known = ['a', 'b', 'c'].map((id) => documents.before(id, recordAt(2))?.version);
    expect(known).toEqual([undefined, 1, 1]);
  });

  it('takes every number that UMBRA_CACHE_ENTRIES may be', () => {
    for (const entries of [0, 100_000_000]) {
      const documents = documentsOf(entries);
      documents.keep('a', recordAt(1));
      expect(documents.before('a', recordAt(3))).toBeUndefined();
    }
  });
});
