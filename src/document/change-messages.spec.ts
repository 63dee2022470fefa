import { readChange, type ChangeTail, type CommittedChange } from './change-messages.js';
import type { ShadowDocument, ShadowState } from './shadow-document.js';

const document = (version: number): ShadowDocument => ({
  version,
  desired: { v: version },
  metadata: { desired: { v: { timestamp: 1 } } },
});
const update: CommittedChange = {
  state: document(2),
  change: { kind: 'update', patch: { desired: { v: 2 } }, principal: 'p', at: 1000, clientToken: 'T' },
};
const tails = (change: CommittedChange, previous: ShadowDocument | null | undefined, left: ChangeTail[] = []) =>
  messages(change, previous, (tail) => !left.includes(tail)).map(([tail]) => tail);

function messages(
  change: CommittedChange,
  previous: ShadowState | null | undefined,
  wants: (tail: ChangeTail) => boolean = () => true,
): [ChangeTail, string][] {
  const taken: [ChangeTail, string][] = [];
  readChange(change, previous, { wants, take: (tail, text) => void taken.push([tail, text]) });
  return taken;
}

describe('readChange', () => {
  it('hands out delta, documents, accepted in this order', () => {
    expect(tails(update, document(1))).toEqual(['update/delta', 'update/documents', 'update/accepted']);
    expect(tails(update, null)).toEqual(['update/delta', 'update/documents', 'update/accepted']);
  });

  it('leaves out what is not wanted, and documents without the previous state', () => {
    expect(tails(update, document(1), ['update/delta'])).toEqual(['update/documents', 'update/accepted']);
    expect(tails(update, document(1), ['update/documents'])).toEqual(['update/delta', 'update/accepted']);
    expect(tails(update, document(1), ['update/accepted'])).toEqual(['update/delta', 'update/documents']);
    expect(tails(update, undefined)).toEqual(['update/delta', 'update/accepted']);
  });

  it('hands out no delta where nothing differs', () => {
    const equal = { ...update, state: { ...document(2), reported: { v: 2 } } };
    expect(tails(equal, null)).toEqual(['update/documents', 'update/accepted']);
  });

  it('hands out accepted of the delete, and nothing else, for a tombstone', () => {
    const removed: CommittedChange = {
      state: { deleted: true, version: 3, deletedAt: 1 },
      change: { kind: 'delete', principal: 'p', at: 2000, clientToken: 'T' },
    };
    expect(messages(removed, document(3))).toEqual([
      ['delete/accepted', '{"version":3,"timestamp":2,"clientToken":"T"}'],
    ]);
    expect(tails(removed, document(3), ['delete/accepted'])).toEqual([]);
  });

  it('gives every message the version, the time and the token of the change', () => {
    const bodies = messages(update, document(1)).map(([, text]) => JSON.parse(text) as object);
    expect(bodies).toMatchObject([
      { version: 2, timestamp: 1, clientToken: 'T', state: { v: 2 } },
      { previous: { version: 1 }, current: { version: 2 }, timestamp: 1, clientToken: 'T' },
      { version: 2, timestamp: 1, clientToken: 'T', state: { desired: { v: 2 } } },
    ]);
  });
});
