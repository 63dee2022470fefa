import { ServiceError } from '../../../errors/service-error.js';
import { encodeRecord } from '../codec.js';
import type { RawRecord } from '../client/nested-txn.js';
import type { ReadBatcher } from '../read/read-batcher.js';
import { settleDoubt } from './settle-doubt.js';

const change = { kind: 'update', principal: 'test', at: 0 } as const;
const raw = (revision: number, writes: string[]): RawRecord => ({
  value: encodeRecord({ state: { version: 1, metadata: {} }, change, writes: writes.join(',') }),
  revision,
});
/** Ids of so many others, newest first. */
const others = (count: number): string[] => Array.from({ length: count }, (_, i) => `other-${count - i}`);

/** A history that is read back until `compacted`. */
function history(records: readonly RawRecord[], compacted = 0): ReadBatcher {
  const get = async (_key: string, _deadline: number, revision: number) => {
    if (revision < compacted) throw new ServiceError('cursorGone', 'it was compacted');
    return { current: records.findLast((record) => record.revision <= revision) ?? null };
  };
  return { get } as unknown as ReadBatcher;
}

describe('a write in doubt', () => {
  const write = { key: 'a', writes: 'own,base', guard: 10, deadline: 0 };

  it('is unknown, not lost, when too many others followed and the history is compacted', async () => {
    const seen = raw(40, others(8));
    expect(await settleDoubt(write, seen, history([seen], 39.5))).toEqual({ kind: 'unknown' });
  });

  it('has won when a later value names it, although its own place is compacted', async () => {
    const seen = raw(40, ['other', 'own', 'base']);
    expect(await settleDoubt(write, seen, history([seen], 39.5))).toEqual({ kind: 'won', revision: 11 });
  });

  it('is found by reading back', async () => {
    const records = [raw(10, ['base']), raw(11, ['own', 'base']), raw(40, others(8))];
    expect(await settleDoubt(write, records[2]!, history(records))).toEqual({ kind: 'won', revision: 11 });
  });

  it.each([
    ['was removed', null],
    ['was removed and made anew', raw(40, ['other'])],
  ])('is unknown, not lost, when the shadow %s', async (_what, seen) => {
    expect(await settleDoubt(write, seen, history(seen ? [seen] : []))).toEqual({ kind: 'unknown' });
  });

  it.each([
    ['nothing is there', null],
    ['another made it', raw(40, ['other'])],
  ])('has lost as the first write of a shadow when %s', async (_what, seen) => {
    const first = { ...write, writes: 'own', guard: 0 };
    expect(await settleDoubt(first, seen, history([]))).toEqual({ kind: 'lost' });
  });

  it.each([
    ['the value is the one it was built on', raw(10, ['base'])],
    ['the value follows the one it was built on directly', raw(40, ['other', 'base'])],
  ])('has lost when %s', async (_what, seen) => {
    expect(await settleDoubt(write, seen, history([]))).toEqual({ kind: 'lost' });
  });
});
