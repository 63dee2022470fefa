import fc from 'fast-check';
import { pino } from 'pino';
import { presenceRecord } from '../../../../test/harness/presence-record.js';
import { watchEvents } from '../../../../test/harness/watch-events.js';
import type { FeedRecord } from '../../shadow-feed.js';
import { recordKey, writeRecord } from '../../presence-record.js';
import { encodeRecord } from '../codec.js';
import { formatKey, presencePrefix } from '../keys.js';
import { RecordDecoder } from './record-decoder.js';
import { RevisionAssembler } from './revision-assembler.js';

const POSITION = { cluster: 'c', epoch: 3, revision: 9 };
const decoder = new RecordDecoder('/p/', pino({ level: 'silent' }));

const shadow = (thing: string, version: number) => ({
  key: formatKey('/p/', { tenant: 't', thing, name: null }),
  revision: 9,
  value: encodeRecord({
    state: { version, metadata: {} },
    change: { kind: 'update', principal: 'p', at: 5 },
    writes: 'w',
  }),
});
const PRESENCE_KEY = `${presencePrefix('/p/')}${recordKey({ tenant: 't', clientId: 'lamp' })}`;

const EVENTS = fc.oneof(
  fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.nat()).map(([thing, version]) => shadow(thing, version)),
  fc.constant({ key: PRESENCE_KEY, revision: 9, value: writeRecord(presenceRecord('s')) }),
  fc.constant({ key: '/p/shadows/zz', revision: 9, value: 'of something else' }),
  fc.constant({ ...shadow('damaged', 1), value: '{"f":2' }),
);

const told = (records: readonly FeedRecord[]) =>
  records.map((record) => [record.key, record.thingHash, record.isReadable, record.bytes, record.position]);

describe('RecordDecoder, unpacking', () => {
  it('property: unpacks to the records that the decoder made, in however many fragments they came', () => {
    fc.assert(
      fc.property(fc.array(fc.array(EVENTS, { minLength: 1, maxLength: 6 }), { minLength: 1 }), (fragments) => {
        const assembler = new RevisionAssembler(8);
        const [raw] = fragments.flatMap((events, at) => {
          const found = watchEvents(events);
          const { bytes } = found[0]!;
          const whole = assembler.take(found, at + 1 < fragments.length);
          // The buffer of a response is used again.
          bytes.fill('?');
          return whole;
        });
        const records = raw!.puts.flatMap((put) => decoder.decode(put, POSITION) ?? []);
        const again = decoder.unpack(raw!.bytes, POSITION);
        expect(told(again.records)).toEqual(told(records));
        expect(again.position).toBe(POSITION);
      }),
    );
  });
});
