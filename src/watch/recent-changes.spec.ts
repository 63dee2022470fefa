import { jest } from '@jest/globals';
import fc from 'fast-check';
import type { Position } from '../store/position.js';
import type { FeedBatch } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { RecentChanges } from './recent-changes.js';
import type { Cursor } from './subscription.js';

const START = { cluster: 'c', epoch: 0, revision: 10 };
const at = (revision: number, seen: number | null = null): Cursor => ({ ...START, revision, seen });

function batch(revision: number, size: number): FeedBatch {
  const position = { ...START, revision };
  const records = Array.from({ length: size }, (_, i): ShadowRecord => ({
    key: { tenant: 't', thing: `x${i}`, name: null },
    state: { version: revision, metadata: {} },
    change: { kind: 'update', principal: 'p', at: 0 },
    position,
  }));
  return { position, records };
}

/** Everything after the cursor, as a reader would get it. */
function replay(history: RecentChanges, from: Cursor): string[] {
  const seen: string[] = [];
  for (let cursor = from; ;) {
    const next = history.following(cursor);
    if (!next) return seen;
    const first = next.position.revision === cursor.revision ? (cursor.seen ?? 0) : 0;
    for (let i = first; i < next.records.length; i++) seen.push(`${next.position.revision}:${i}`);
    cursor = at(next.position.revision);
  }
}

describe('RecentChanges', () => {
  it('knows where a cursor lies', () => {
    const history = new RecentChanges(START, 4);
    for (const [revision, size] of [
      [12, 2],
      [13, 2],
      [15, 2],
      [16, 0],
    ] as const)
      history.append(batch(revision, size));
    const table: [Cursor, string][] = [
      [{ ...at(15), cluster: 'd' }, 'elsewhere'],
      [{ ...at(15), epoch: 1 }, 'elsewhere'],
      [at(10), 'older'],
      [at(11), 'older'],
      [at(12), 'held'],
      [at(12, 1), 'older'],
      [at(13, 1), 'held'],
      [at(16), 'held'],
      [at(17), 'ahead'],
    ];
    for (const [cursor, place] of table) expect([cursor, history.place(cursor)]).toEqual([cursor, place]);
  });

  it('is bounded in bytes too: a few large updates must not fill the memory of the node', () => {
    const history = new RecentChanges(START, 100);
    for (let revision = 11; revision <= 30; revision++) {
      const { position, records } = batch(revision, 1);
      history.append({ position, records: records.map((each) => ({ ...each, bytes: 100 * 1024 })) });
    }
    // 100 records are taken for 400 KiB.
    expect(history.size).toBe(4);
    expect([history.place(at(26)), history.place(at(25))]).toEqual(['held', 'older']);
    for (let revision = 31; revision <= 130; revision++) history.append(batch(revision, 1));
    expect(history.size).toBe(100);
  });

  it('keeps nothing of a revision that is larger than itself', () => {
    const history = new RecentChanges(START, 3);
    history.append(batch(11, 2));
    history.append(batch(12, 4));
    expect(history.size).toBe(0);
    expect(history.place(at(11))).toBe('older');
    expect(history.place(at(12))).toBe('held');
  });

  it.each([
    ['the same revision again', batch(11, 1)],
    ['an older one', batch(9, 1)],
    ['another epoch', { ...batch(99, 1), position: { ...START, epoch: 1, revision: 99 } }],
  ])('refuses %s', (_, bad) => {
    const history = new RecentChanges(START, 3);
    history.append(batch(11, 1));
    expect(() => history.append(bad)).toThrow('does not follow');
    expect(history.position.revision).toBe(11);
  });

  it('property: from every cursor that it holds it gives exactly what came after', () => {
    const steps = fc.array(fc.record({ skip: fc.integer({ min: 1, max: 3 }), size: fc.integer({ min: 0, max: 4 }) }));
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 12 }), (writes, maxRecords) => {
        const history = new RecentChanges(START, maxRecords);
        const written: string[] = [];
        const cursors: [Cursor, number][] = [[at(10), 0]];
        let revision = 10;
        for (const { skip, size } of writes) {
          revision += skip;
          history.append(batch(revision, size));
          for (let i = 0; i < size; i++) {
            written.push(`${revision}:${i}`);
            cursors.push([at(revision, i + 1 < size ? i + 1 : null), written.length]);
          }
          if (size === 0) cursors.push([at(revision), written.length]);
        }
        expect(history.size).toBeLessThanOrEqual(maxRecords);
        for (const [cursor, count] of cursors) {
          if (history.place(cursor) === 'held') expect(replay(history, cursor)).toEqual(written.slice(count));
          else expect(written.length - count).toBeGreaterThan(history.size - 4);
        }
      }),
    );
  });

  it('holds what is packed, and unpacks it once, for the first reader that asks', () => {
    const history = new RecentChanges(START, 100);
    const unpack = jest.fn((bytes: Buffer, { revision }: Position) =>
      batch(revision, Number(bytes.toString('utf8', 0, 1))),
    );
    for (const revision of [11, 12, 13]) {
      const bytes = Buffer.alloc(200 * 1024, '2');
      history.append({ ...batch(revision, 2), packed: { bytes, unpacker: { unpack } } });
      // Their memory is used for what comes next.
      bytes.fill('9');
    }
    // 100 records are taken for 400 KiB.
    expect([history.size, history.place(at(10)), history.place(at(11))]).toEqual([4, 'older', 'held']);
    expect(unpack).not.toHaveBeenCalled();
    expect(replay(history, at(12))).toEqual(['13:0', '13:1']);
    expect(history.following(at(12))).toBe(history.following(at(13, 1)));
    expect(unpack.mock.calls.map(([, { revision }]) => revision)).toEqual([13]);
  });

  it('stays small over many appends', () => {
    const history = new RecentChanges(START, 100);
    for (let revision = 11; revision < 20_000; revision++) history.append(batch(revision, 1));
    expect(history.size).toBe(100);
    expect(replay(history, at(19_990))).toHaveLength(9);
  });
});
