import { epochOf, nodeOf, parseRecordKey, readRecord, recordKey, writeRecord } from './presence-record.js';
import type { PresenceRecord } from './presence-record.js';

const RECORD: PresenceRecord = {
  ...{ connected: false, since: 5, lastSeen: 4, instance: 'umbra-1.0a1b2c3d', session: 's', principal: 'p' },
  ...{ address: '::1', epoch: 3, ended: { reason: 'client', at: 5 } },
};

it.each(['lamp', 'a/b', '/', '~progress', 'x~progress', 'Lampe ä', '%2F', '..', '\u0000', '💡', '+#'])(
  'the client %j has a key of its own, of one level, and none of a progress marker',
  (clientId) => {
    const key = recordKey({ tenant: 'acme', clientId });
    expect(key).toMatch(/^acme\/[^/~]+$/);
    expect(parseRecordKey(key)).toEqual({ tenant: 'acme', clientId });
  },
);

it.each(['lamp', '/lamp', 'acme/%zz', ''])('the key %j names no client', (key) => {
  expect(parseRecordKey(key)).toBeNull();
});

it('reads what it writes, without what it does not know', () => {
  expect(readRecord(writeRecord(RECORD))).toEqual(RECORD);
  expect(readRecord(JSON.stringify({ ...RECORD, more: 1 }))).toEqual(RECORD);
  expect(readRecord(writeRecord({ ...RECORD, epoch: null, ended: null }))).toEqual({
    ...RECORD,
    ...{ epoch: null, ended: null },
  });
  expect([nodeOf(RECORD), epochOf(RECORD, 9), epochOf({ ...RECORD, epoch: null }, 9)]).toEqual(['umbra-1', 3, 9]);
});

it.each([
  '',
  'null',
  '[]',
  '{}',
  JSON.stringify({ ...RECORD, connected: 1 }),
  JSON.stringify({ ...RECORD, since: -1 }),
  JSON.stringify({ ...RECORD, since: 1.5 }),
  JSON.stringify({ ...RECORD, epoch: undefined }),
  JSON.stringify({ ...RECORD, session: null }),
])('takes %s for no record', (value) => expect(readRecord(value)).toBeNull());

it.each([{ reason: 'constructor', at: 1 }, { reason: 'client' }, 'client'])(
  'takes %j for no end that is known',
  (ended) => expect(readRecord(JSON.stringify({ ...RECORD, ended }))?.ended).toBeNull(),
);
