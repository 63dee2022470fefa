import fc from 'fast-check';
import { anyCharacter } from '../../../../test/harness/any-character.js';
import { encodeMessage, messageType } from '../../../../test/harness/etcd-messages.js';
import { BadMessage } from '../client/protobuf/proto-reader.js';
import { decodeWatchResponse, type WatchResponse } from './watch-response.js';

const message = messageType('WatchResponse');

const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));
const revision = fc.oneof(fc.nat(), fc.maxSafeNat());
const keyValue = fc.record({
  key: bytes,
  create_revision: revision,
  mod_revision: revision,
  version: revision,
  value: bytes,
  lease: fc.bigInt(0n, 2n ** 63n - 1n).map(String),
});
const event = fc.record({
  type: fc.constantFrom(0, 1),
  kv: keyValue,
  prev_kv: fc.option(keyValue, { nil: undefined }),
});
const response = fc.record({
  header: fc.record({
    cluster_id: fc.bigInt(0n, 2n ** 64n - 1n).map(String),
    member_id: fc.bigInt(0n, 2n ** 64n - 1n).map(String),
    revision,
    raft_term: revision,
  }),
  watch_id: fc.oneof(fc.constant(-1), fc.nat(), fc.maxSafeNat()),
  created: fc.boolean(),
  canceled: fc.boolean(),
  compact_revision: revision,
  cancel_reason: fc.string({ unit: anyCharacter }),
  fragment: fc.boolean(),
  events: fc.array(event, { maxLength: 20 }),
});

const encode = (content: object): Buffer => encodeMessage('WatchResponse', content);

/** What the library reads from the same bytes, in our words. */
function asLibrary(raw: Buffer): object {
  const { header, ...rest } = message.toObject(message.decode(raw), { longs: String, defaults: true, arrays: true });
  return {
    cluster: header?.cluster_id ?? '0',
    revision: Number(header?.revision ?? 0),
    watchId: Number(rest.watch_id),
    created: rest.created,
    canceled: rest.canceled,
    compactRevision: Number(rest.compact_revision),
    cancelReason: rest.cancel_reason,
    fragment: rest.fragment,
    events: rest.events.map(
      ({ type, kv }: { type: number; kv?: Record<'key' | 'value', Uint8Array> & { mod_revision: string } }) => ({
        isDelete: type === 1,
        revision: Number(kv?.mod_revision ?? 0),
        key: Buffer.from(kv?.key ?? ''),
        value: Buffer.from(kv?.value ?? ''),
      }),
    ),
  };
}

const plain = ({ events, ...rest }: WatchResponse): object => ({
  ...rest,
  events: events.map((each) => ({
    isDelete: each.isDelete,
    revision: each.revision,
    key: Buffer.from(each.key),
    value: Buffer.from(each.value),
  })),
});

describe('a watch response that is decoded by hand', () => {
  it('property: is what the library of etcd3 reads', () => {
    fc.assert(
      fc.property(response, (content) => {
        const raw = encode(content);
        expect(plain(decodeWatchResponse(raw))).toEqual(asLibrary(raw));
      }),
      { numRuns: 200 },
    );
  });

  it('property: is an error when it is cut off within an event', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 5 }), event, fc.nat(), (before, last, cut) => {
        const whole = encode({ events: before });
        const rest = encode({ events: [last] });
        const part = rest.subarray(0, 1 + (cut % (rest.length - 1)));
        expect(decodeWatchResponse(whole).events).toHaveLength(before.length);
        expect(() => decodeWatchResponse(Buffer.concat([whole, part]))).toThrow(BadMessage);
      }),
    );
  });

  it('property: whatever the bytes are, it ends, and refers to nothing outside of them', () => {
    fc.assert(
      fc.property(
        response,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 5 }),
        (content, changes) => {
          const raw = encode(content);
          for (const [at, value] of changes) if (raw.length > 0) raw[at % raw.length] = value;
          try {
            for (const { start, end, keyStart, keyEnd, valueStart, valueEnd } of decodeWatchResponse(raw).events) {
              const places = [start, keyStart, keyEnd, valueStart, valueEnd].filter((place) => place !== 0);
              for (const place of places) expect(place >= start && place <= end && end <= raw.length).toBe(true);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(BadMessage);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([
    ['a length beyond the end', [0x5a, 0x7f, 0x00], 'longer than its message'],
    ['a length beyond the event around it', [0x5a, 0x04, 0x12, 0x0f, 0x0a, 0x00], 'longer than its message'],
    ['a length of 2^63', [0x5a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 'above 2 ** 53'],
    ['a number that goes on', [0x10, ...Array.from({ length: 10 }, () => 0xff), 0x01], 'without an end'],
    [
      'a revision that no number can hold',
      [0x28, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      'above 2 ** 53',
    ],
    ['a group without an end', [0x0b, 0x08, 0x00], 'cut off'],
    ['field 0', [0x02, 0x00], 'without a number'],
    ['half of a fixed number', [0x7d, 0x00, 0x00], 'cut off'],
  ])('refuses %s', (_, raw, reason) => {
    expect(() => decodeWatchResponse(Buffer.from(raw))).toThrow(reason);
  });

  it('passes fields that a later etcd may add', () => {
    const later = Buffer.from([
      0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4, 0x82, 0x01, 2, 9, 9, 0x88, 0x01, 0x96, 0x01,
    ]);
    const raw = Buffer.concat([later, encode({ header: { revision: 7 }, watch_id: -1 }), later]);
    expect(decodeWatchResponse(raw)).toMatchObject({ revision: 7, watchId: -1, events: [] });
  });
});
