import { SettableClock } from '../../test/harness/clock.js';
import type { ShadowRecord, ShadowStore } from '../store/shadow-store.js';
import { PreviousDocuments } from './previous-documents.js';

const recordAt = (version: number) =>
  ({ state: { version, desired: {}, reported: {}, metadata: {} } }) as unknown as ShadowRecord;

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

  it('counts a large state by what it takes', () => {
    const documents = documentsOf(20);
    const large = {
      state: { version: 1, reported: { a: 'x'.repeat(8_000) }, metadata: {} },
    } as unknown as ShadowRecord;
    for (let i = 0; i < 20; i++) documents.keep(`s${i}`, large);
    const known = Array.from({ length: 20 }, (_, i) => documents.before(`s${i}`, recordAt(2)) !== undefined);
    expect(known).toEqual([...Array<boolean>(18).fill(false), true, true]);
  });

  it('gives back what it was given, as a document and as a deletion', () => {
    const documents = documentsOf(2);
    const document = {
      version: 3,
      desired: { a: { b: 1 }, c: [2] },
      metadata: { desired: { a: { b: { timestamp: 5 } }, c: [{ timestamp: 6 }] } },
    };
    documents.keep('a', { state: document } as unknown as ShadowRecord);
    expect(JSON.parse(JSON.stringify(documents.before('a', recordAt(4))))).toEqual(document);
    const tombstone = { deleted: true, version: 3, deletedAt: 7 };
    documents.keep('a', { state: tombstone } as unknown as ShadowRecord);
    expect(documents.before('a', recordAt(5))).toEqual(tombstone);
  });

  it('takes every number that UMBRA_CACHE_ENTRIES may be', () => {
    for (const entries of [0, 100_000_000]) {
      const documents = documentsOf(entries);
      documents.keep('a', recordAt(1));
      expect(documents.before('a', recordAt(3))).toBeUndefined();
    }
  });
});
