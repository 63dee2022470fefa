import fc from 'fast-check';
import { anyCharacter } from '../../../../../test/harness/any-character.js';
import type { ITxnResponse } from 'etcd3';
import { decodeMessage, encodeMessage } from '../../../../../test/harness/etcd-messages.js';
import { HEAD_BYTES } from '../channel/grpc-message.js';
import { toRawRecord, type FlatKey, type GuardedPut, type KeyRead, type PutResult } from '../nested-txn.js';
import { BadMessage } from './proto-reader.js';
import { encodeFlatTxn, encodeNestedTxn, encodeReads, sizeOf, sizeOfFlat } from './txn-request.js';
import { decodeFlatTxn, decodeNestedTxn, decodeReads } from './txn-response.js';

const RUNS = { numRuns: 100 };
const revision = fc.oneof(fc.nat(200), fc.nat({ max: Number.MAX_SAFE_INTEGER }));
const key = fc.oneof(fc.string({ minLength: 1, maxLength: 40 }), fc.string({ minLength: 1, unit: anyCharacter }));
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: anyCharacter, maxLength: 2_000 }));
const signed64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);
const unsigned64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);

const put: fc.Arbitrary<GuardedPut> = fc.record(
  {
    key,
    guard: revision,
    value: fc.oneof(bytes, text, fc.constant(null)),
    lease: signed64,
    fence: fc.record({ key, revision }),
  },
  { requiredKeys: ['key', 'guard', 'value'] },
);
const turns = fc.array(fc.record({ key, revision }), { maxLength: 3 });

/** As etcd3 would be asked for the same. */
function expected({ key: name, guard, value, lease, fence }: GuardedPut): object {
  const id = Buffer.from(name);
  const unmoved = (each: Buffer, at: number) => ({ target: 'Mod', key: each, mod_revision: String(at) });
  const stored = typeof value === 'string' ? Buffer.from(value) : value;
  const fenceKey = fence && Buffer.from(fence.key);
  return {
    request_txn: {
      compare: [unmoved(id, guard), ...(fence ? [unmoved(fenceKey!, fence.revision)] : [])],
      success: [
        stored === null
          ? { request_delete_range: { key: id } }
          : { request_put: { key: id, value: stored, ...(lease === undefined ? {} : { lease }) } },
      ],
      failure: [id, ...(fence ? [fenceKey] : [])].map((each) => ({ request_range: { key: each } })),
    },
  };
}

const unframed = (message: Buffer): Buffer => {
  expect(message[0]).toBe(0);
  expect(message.readUInt32BE(1)).toBe(message.length - HEAD_BYTES);
  return message.subarray(HEAD_BYTES);
};

describe('a Txn of guarded writes', () => {
  it('is what protobufjs reads as the same Txn', () => {
    fc.assert(
      fc.property(fc.array(put, { maxLength: 20 }), turns, fc.boolean(), (puts, compared, isGuess) => {
        const size = isGuess ? 0 : puts.reduce((sum, each) => sum + sizeOf(each), 0);
        const read = decodeMessage('TxnRequest', unframed(encodeNestedTxn(puts, size, compared)));
        const ids = compared.map((each) => Buffer.from(each.key));
        const unmoved = ids.map((id, i) => ({ target: 'Mod', key: id, mod_revision: String(compared[i]!.revision) }));
        expect(read).toEqual({
          ...(puts.length > 0 && { success: puts.map(expected) }),
          ...(compared.length > 0 && { compare: unmoved }),
          ...(compared.length > 0 && { failure: ids.map((id) => ({ request_range: { key: id } })) }),
        });
      }),
      RUNS,
    );
  });

  it('never takes more than its size says, for keys in ASCII', () => {
    const ascii = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme-ascii' });
    const named = fc.tuple(put, ascii, ascii).map(([each, name, fenceName]): GuardedPut => {
      return { ...each, key: name, ...(each.fence && { fence: { ...each.fence, key: fenceName } }) };
    });
    fc.assert(
      fc.property(named, (each) => {
        expect(encodeNestedTxn([each], 0).length - HEAD_BYTES).toBeLessThanOrEqual(sizeOf(each));
      }),
      RUNS,
    );
  });

  it.each([0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])('has the right lengths around %i bytes', (length) => {
    const puts = [-40, -20, 0].map((less): GuardedPut => {
      return { key: `k${less}`, guard: length, value: 'v'.repeat(Math.max(0, length + less)) };
    });
    const same = encodeMessage('TxnRequest', { success: puts.map(expected) });
    expect(unframed(encodeNestedTxn(puts, 0)).equals(same)).toBe(true);
  });

  it('refuses a lease that is no number', () => {
    expect(() => encodeNestedTxn([{ key: 'a', guard: 0, value: 'v', lease: 'x' }], 0)).toThrow(SyntaxError);
  });
});

describe('a flat Txn', () => {
  const value = fc.record({ value: text, lease: signed64 }, { requiredKeys: ['value'] });
  const flat: fc.Arbitrary<FlatKey> = fc.record({ key, guard: revision, put: fc.option(value) });

  it('is what protobufjs reads as the same Txn, and takes no more than its size says', () => {
    fc.assert(
      fc.property(fc.array(flat, { minLength: 1, maxLength: 20 }), (keys) => {
        const message = encodeFlatTxn(keys, 0);
        const seen = decodeMessage('TxnRequest', unframed(message)) as Record<string, unknown>;
        const ids = keys.map((each) => Buffer.from(each.key));
        const puts = keys.flatMap(({ put: made }, i) => {
          if (!made) return [];
          return [{ request_put: { key: ids[i], ...made, value: Buffer.from(made.value) } }];
        });
        expect(seen).toEqual({
          compare: keys.map(({ guard }, i) => ({ target: 'Mod', key: ids[i], mod_revision: String(guard) })),
          ...(puts.length > 0 && { success: puts }),
          failure: ids.map((id) => ({ request_range: { key: id } })),
        });
        const beyondAscii = keys.reduce((sum, each, i) => sum + 3 * (ids[i]!.length - each.key.length), 0);
        const size = keys.reduce((sum, each) => sum + sizeOfFlat(each), 0);
        expect(message.length - HEAD_BYTES).toBeLessThanOrEqual(size + beyondAscii);
      }),
      RUNS,
    );
  });
});

describe('a Txn of reads', () => {
  it('is what protobufjs reads as the same Txn', () => {
    const read: fc.Arbitrary<KeyRead> = fc.record({ key, revision: fc.option(revision) });
    fc.assert(
      fc.property(fc.array(read, { minLength: 1, maxLength: 100 }), (reads) => {
        const ranges = reads.map((each) => ({
          request_range: {
            key: Buffer.from(each.key),
            ...(each.revision === null ? {} : { revision: String(each.revision) }),
          },
        }));
        const seen = decodeMessage('TxnRequest', unframed(encodeReads(reads))) as { success: typeof ranges };
        expect(seen.success).toEqual(ranges);
      }),
      RUNS,
    );
  });
});

/** A message of protobuf as fields that can be put in another order, with others between them. */
interface Field {
  readonly number: number;
  readonly bytes: Buffer;
}

function varint(value: bigint): Buffer {
  const out: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...out, Number(rest)]);
    out.push(Number(rest & 127n) | 128);
  }
}

function readVarint(from: Buffer, at: number): [bigint, number] {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = from[at++]!;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

const tagged = (number: number, type: number, body: Buffer): Buffer =>
  Buffer.concat([varint(BigInt(number) * 8n + BigInt(type)), body]);
const delimited = (body: Buffer): Buffer => Buffer.concat([varint(BigInt(body.length)), body]);

/** Fields that no message of etcd has, of every wire type, a group within a group among them. */
const UNKNOWN: readonly Buffer[] = [
  tagged(1_000, 0, varint(2n ** 64n - 1n)),
  tagged(1_001, 1, Buffer.alloc(8, 0x12)),
  tagged(1_002, 2, delimited(Buffer.from('unknown'))),
  tagged(1_003, 5, Buffer.alloc(4, 0x1a)),
  tagged(1_004, 3, Buffer.concat([tagged(1, 3, tagged(1, 4, Buffer.alloc(0))), tagged(1_004, 4, Buffer.alloc(0))])),
  tagged(536_870_911, 0, varint(1n)),
];

/** Fields of these numbers hold messages, by message. */
const NESTED: Record<string, Record<number, string>> = {
  TxnResponse: { 1: 'ResponseHeader', 3: 'ResponseOp' },
  ResponseOp: { 1: 'RangeResponse', 2: 'PutResponse', 3: 'DeleteRangeResponse', 4: 'TxnResponse' },
  RangeResponse: { 1: 'ResponseHeader', 2: 'KeyValue' },
};

/**
 * The same message with its fields in another order and unknown ones between them. Repeated fields keep their order.
 * @param pick 0 to `below` - 1
 */
function shuffled(kind: string, message: Buffer, pick: (below: number) => number): Buffer {
  const fields: Field[] = [];
  for (let at = 0; at < message.length;) {
    const start = at;
    let tag: bigint;
    [tag, at] = readVarint(message, at);
    const number = Number(tag >> 3n);
    let value: bigint;
    [value, at] = readVarint(message, at);
    if ((tag & 7n) === 0n) {
      fields.push({ number, bytes: message.subarray(start, at) });
      continue;
    }
    const body = message.subarray(at, (at += Number(value)));
    const nested = NESTED[kind]?.[number];
    fields.push({ number, bytes: tagged(number, 2, delimited(nested ? shuffled(nested, body, pick) : body)) });
  }
  const queues = [...new Set(fields.map(({ number }) => number))].map((number) =>
    fields.filter((field) => field.number === number),
  );
  const out: Buffer[] = [];
  while (queues.some((queue) => queue.length > 0)) {
    if (pick(3) === 0) out.push(UNKNOWN[pick(UNKNOWN.length)]!);
    const open = queues.filter((queue) => queue.length > 0);
    out.push(open[pick(open.length)]!.shift()!.bytes);
  }
  if (pick(2) === 0) out.push(UNKNOWN[pick(UNKNOWN.length)]!);
  return Buffer.concat(out);
}

const kv = fc.record({
  key: bytes,
  create_revision: revision.map(String),
  mod_revision: revision.map(String),
  version: revision.map(String),
  value: bytes,
  lease: signed64,
});
const header = fc.record({
  cluster_id: unsigned64,
  member_id: unsigned64,
  revision: revision.map(String),
  raft_term: unsigned64,
});
const range = fc.record({ header: fc.constant({}), kvs: fc.array(kv, { maxLength: 2 }), count: fc.constant('1') });

const wonWrite = fc.constantFrom(
  { succeeded: true, responses: [{ response_put: { header: { revision: '0' } } }] },
  { succeeded: true, responses: [{ response_delete_range: { header: {}, deleted: '1' } }] },
);
const lostWrite = fc
  .array(range, { minLength: 2, maxLength: 2 })
  .map((ranges) => ({ succeeded: false, responses: ranges.map((response_range) => ({ response_range })) }));
const writes = fc.record({
  header,
  succeeded: fc.constant(true),
  responses: fc.array(
    fc.oneof(wonWrite, lostWrite).map((response_txn) => ({ response_txn: { header: {}, ...response_txn } })),
    { maxLength: 20 },
  ),
});
const reads = fc.record({
  header,
  succeeded: fc.constant(true),
  responses: fc.array(
    range.map((response_range) => ({ response_range })),
    { maxLength: 20 },
  ),
});
const picks = fc.infiniteStream(fc.nat(1_000_000));
const picker =
  (stream: Iterator<number>) =>
  (below: number): number =>
    Number(stream.next().value) % below;

/** What etcd3 makes of an answer: absent fields have their defaults. */
const parsed = (answer: Buffer): ITxnResponse => decodeMessage('TxnResponse', answer) as unknown as ITxnResponse;

function attempt(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof BadMessage)) throw error;
  }
}

describe('an answer', () => {
  it('to writes is read as protobufjs reads it, with fields in any order and unknown ones', () => {
    fc.assert(
      fc.property(writes, revision, picks, (given, fence, stream) => {
        const canonical = encodeMessage('TxnResponse', given);
        const answer = shuffled('TxnResponse', canonical, picker(stream));
        const puts = given.responses.map((_, i) => (i % 2 === 0 ? {} : { fence: { key: 'f', revision: fence } }));
        const { header: seen, results, moved } = decodeNestedTxn(answer, puts);
        expect([seen.cluster_id, String(seen.revision)]).toEqual([given.header.cluster_id, given.header.revision]);
        const same = (parsed(canonical).responses ?? []).map(({ response_txn: inner }, i): PutResult => {
          if (inner.succeeded) return { won: true };
          const found = inner.responses.map(({ response_range }) => {
            const first = response_range.kvs?.[0];
            return toRawRecord(
              first && { ...first, value: first.value ?? Buffer.alloc(0), mod_revision: first.mod_revision ?? '0' },
            );
          });
          const at = puts[i]!.fence?.revision;
          const isFenced = at !== undefined && (found[1]?.revision ?? 0) !== at;
          return { won: false, current: found[0] ?? null, fenced: isFenced };
        });
        expect(results).toEqual(same);
        expect(decodeNestedTxn(canonical, puts, 2)).toEqual({ header: seen, results, moved });
      }),
      RUNS,
    );
  });

  it('to reads is read as protobufjs reads it, with fields in any order and unknown ones', () => {
    fc.assert(
      fc.property(reads, picks, (given, stream) => {
        const answer = shuffled('TxnResponse', encodeMessage('TxnResponse', given), picker(stream));
        const { header: seen, records } = decodeReads(answer, given.responses.length);
        expect([seen.cluster_id, String(seen.revision)]).toEqual([given.header.cluster_id, given.header.revision]);
        expect(records).toEqual(
          given.responses.map(({ response_range: { kvs } }) =>
            kvs[0] ? { value: kvs[0].value, revision: Number(kvs[0].mod_revision) } : null,
          ),
        );
      }),
      RUNS,
    );
  });

  it('to a flat Txn, or with turns that moved, is won or has each key as it was', () => {
    fc.assert(
      fc.property(reads, picks, (given, stream) => {
        const pick = picker(stream);
        const count = given.responses.length;
        const lost = shuffled('TxnResponse', encodeMessage('TxnResponse', { ...given, succeeded: false }), pick);
        const { header: seen, records } = decodeReads(lost, count);
        expect(decodeFlatTxn(lost, count)).toEqual({ header: seen, won: false, records });
        expect(() => decodeFlatTxn(lost, count + 1)).toThrow(BadMessage);
        const puts = given.responses.map(() => ({ response_put: { header: {} } }));
        const won = encodeMessage('TxnResponse', { ...given, responses: puts });
        expect(decodeFlatTxn(shuffled('TxnResponse', won, pick), count)).toEqual({
          header: seen,
          won: true,
          records: [],
        });
        if (count === 0) return;
        expect(decodeNestedTxn(lost, [{}], count)).toEqual({ header: seen, results: [], moved: records });
      }),
      RUNS,
    );
    const strange = encodeMessage('TxnResponse', { header: {}, responses: [{ response_txn: {} }] });
    expect(() => decodeFlatTxn(strange, 1)).toThrow(BadMessage);
  });

  it.each([
    ['another number of answers', encodeMessage('TxnResponse', { header: {}, responses: [] })],
    [
      'more answers',
      encodeMessage('TxnResponse', { header: {}, responses: [{ response_txn: {} }, { response_txn: {} }] }),
    ],
    ['an answer of another kind', encodeMessage('TxnResponse', { header: {}, responses: [{ response_put: {} }] })],
    ['an empty answer', encodeMessage('TxnResponse', { header: {}, responses: [{}] })],
    ['no header', encodeMessage('TxnResponse', { responses: [{ response_txn: {} }] })],
    ['a revision above 2 ** 53', encodeMessage('TxnResponse', { header: { revision: '9007199254740993' } })],
    ['nothing', Buffer.alloc(0)],
    ['a number of eleven bytes', Buffer.from([0x10, ...Array<number>(10).fill(0x80), 0])],
    ['an unknown number of eleven bytes', Buffer.from([0x50, ...Array<number>(10).fill(0x80), 0])],
    ['a field without a number', Buffer.from([0x00, 0x00])],
    ['a field of the type 7', Buffer.from([0x57, 0x00])],
    ['a group without an end', Buffer.from([0x53, 0x53, 0x53])],
    ['an end without a group', Buffer.from([0x54])],
    ['a field longer than its message', Buffer.from([0x0a, 0x03, 0x08, 0x01])],
    ['a nested field longer than its message', Buffer.from([0x0a, 0x02, 0x12, 0x05, 0, 0, 0, 0, 0])],
  ])('is refused with %s', (_, answer) => {
    expect(() => decodeNestedTxn(answer, [{}])).toThrow(BadMessage);
  });

  it('with any bytes changed, cut off or put in is a result or a BadMessage', () => {
    const damage = fc.array(fc.record({ at: fc.nat(100_000), cut: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(fc.oneof(writes, reads), damage, (given, places) => {
        let answer = encodeMessage('TxnResponse', given);
        for (const { at, cut, put: more } of places) {
          const place = at % (answer.length + 1);
          answer = Buffer.concat([answer.subarray(0, place), more, answer.subarray(place + cut)]);
        }
        attempt(() => decodeNestedTxn(answer, Array<object>(given.responses.length).fill({})));
        attempt(() => decodeReads(answer, given.responses.length));
      }),
      { numRuns: 1_000 },
    );
  });

  it('of any bytes at all is a result or a BadMessage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (any, count) => {
        attempt(() => decodeReads(Buffer.from(any), count));
      }),
      { numRuns: 2_000 },
    );
  });
});
