import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { mirrorMetadata } from '../../document/metadata.js';
import type { ChangeRecord, JsonObject, ShadowDocument, ShadowState } from '../../document/shadow-document.js';
import { StoredDocument } from '../../document/stored-document.js';
import {
  decodeRecord,
  idsOf,
  withWrite,
  RECENT_WRITES,
  encodeRecord,
  isCurrentFormat,
  isValueOf,
  RECORD_FORMATS,
  writeIdOf,
  type EtcdRecord,
  type RecordFormat,
  type RecordParts,
} from './codec.js';

const objects = fc
  .dictionary(
    fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'a.b', '', '\0', 'timestamp', '7')),
    fc.jsonValue({ maxDepth: 5 }),
  )
  .map((object) => JSON.parse(JSON.stringify(object)) as JsonObject);
const versions = fc.integer({ min: 1 });
/** One time for all members, one for each section, or a damaged record without any. */
const documents: fc.Arbitrary<ShadowDocument> = fc
  .tuple(versions, fc.option(objects), fc.option(objects), fc.constantFrom(null, [5, 5], [5, 6]))
  .map(([version, desired, reported, stamps]) => ({
    version,
    ...(desired && { desired }),
    ...(reported && { reported }),
    metadata: stamps
      ? {
          ...(desired && mirrorMetadata({ desired }, stamps[0]!)),
          ...(reported && mirrorMetadata({ reported }, stamps[1]!)),
        }
      : {},
  })) as fc.Arbitrary<ShadowDocument>;
const patches = fc.oneof(fc.constant(null), fc.record({ desired: objects }));
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const traces = fc
  .constantFrom('', 'a=1', 'a="\\,b@c= x')
  .map((tracestate) => ({ traceparent: TRACEPARENT, tracestate }));
const common = { clientToken: fc.string(), principal: fc.string(), at: fc.nat(), trace: traces };
const requiredKeys: ['principal', 'at'] = ['principal', 'at'];
const changed: fc.Arbitrary<{ state: ShadowState; change: ChangeRecord }> = fc.oneof(
  fc.record({
    state: fc.record({ deleted: fc.constant(true as const), version: versions, deletedAt: fc.nat() }),
    change: fc.record(common, { requiredKeys }).map((rest) => ({ kind: 'delete' as const, ...rest })),
  }),
  fc.record({
    state: documents,
    change: fc
      .record({ patch: patches, ...common }, { requiredKeys })
      .map((rest) => ({ kind: 'update' as const, ...rest })),
  }),
);
const ids = fc.array(fc.stringMatching(/^[\w-]{1,16}$/), { maxLength: 8 }).map((each) => each.join(','));

const textOf = ({ state, change, writes }: RecordParts): string =>
  // As text: members called __proto__ are members, and an absent section is not one that is undefined.
  JSON.stringify([
    state,
    [
      change.kind,
      change.patch,
      change.patch === undefined,
      change.clientToken,
      change.principal,
      change.at,
      change.trace,
    ],
    writes,
  ]);

describe('codec', () => {
  it.each<RecordFormat>([1, 2])('gives every record back in format %d, and changes no prototype', (format) => {
    fc.assert(
      fc.property(changed, ids, ({ state, change }, writes) => {
        const value = encodeRecord({ state, change, writes }, format);
        const decoded = decodeRecord(value);
        const plain = 'deleted' in state ? state : StoredDocument.of(state).toJSON();
        expect(textOf(decoded)).toBe(textOf({ state: plain, change, writes }));
        expect(decoded.bytes).toBe(value.length);
        // What was read is written again as it was.
        expect(encodeRecord(decoded, format).toString()).toBe(value.toString());
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      }),
    );
  });

  it('knows a value of format 2 and its newest write by its first bytes', () => {
    fc.assert(
      fc.property(changed, ids, ({ state, change }, writes) => {
        const record = { state, change, writes };
        const value = encodeRecord(record);
        expect(isCurrentFormat(value)).toBe(true);
        expect(writeIdOf(value)).toBe(idsOf(record)[0] ?? null);
        const first = encodeRecord(record, 1);
        expect([isCurrentFormat(first), writeIdOf(first)]).toEqual([false, null]);
        expect([isValueOf(value.toString(), value), isValueOf(first.toString(), first)]).toEqual([true, true]);
        expect(isValueOf(value.toString(), first) || isValueOf(first.toString(), value)).toBe(false);
        const next = encodeRecord({ ...record, writes: withWrite(`${idsOf(record)[0] ?? ''}x`, writes) });
        expect(isValueOf(value.toString(), next) || isValueOf(next.toString(), value)).toBe(false);
      }),
    );
  });

  it('keeps the ids of the last writes, the newest first', () => {
    fc.assert(
      fc.property(ids, (writes) => {
        const kept = ['new', ...idsOf({ writes })].slice(0, RECENT_WRITES);
        expect(idsOf({ writes: withWrite('new', writes) })).toEqual(kept);
      }),
    );
  });

  it.each(['', '{', '{"f":2,"w":"', '{"f":2,"w":"a', '{"f":2,"w":"a"'])('looks no further than %p', (text) => {
    expect(isValueOf(golden().text, Buffer.from(text))).toBe(false);
    expect(isValueOf(text, encodeRecord(golden()))).toBe(false);
  });

  it.each([
    '',
    'no json',
    'null',
    '7',
    '[]',
    '{}',
    '{"version":1}',
    '{"version":"1","change":{},"writes":[]}',
    '{"version":1,"change":null,"writes":[]}',
    '{"f":3,"w":"a","v":1,"by":"p","at":1}',
    '{"f":2,"w":"a"}',
    '{"f":2,"w":"a","v":"1","by":"p","at":1}',
    '{"f":2,"w":["a"],"v":1,"by":"p","at":1}',
    '{"f":2,"w":"a","v":1,"r":7,"by":"p","at":1}',
    '{"f":2,"w":"a","v":1,"r":[],"by":"p","at":1}',
    // No date: the event of a stream could not be written.
    '{"f":2,"w":"a","v":1,"by":"p","at":1e20}',
    '{"version":1,"change":{"kind":"update","principal":"p","at":1e20},"writes":[]}',
    '{"version":1,"change":{"kind":"update","principal":"p"},"writes":[]}',
    // Ids that the next record would carry on, and be none.
    String.raw`{"f":2,"w":"a\"b","v":1,"by":"p","at":1}`,
    String.raw`{"f":2,"w":"a,b\\","v":1,"by":"p","at":1}`,
    String.raw`{"version":1,"change":{"kind":"update","principal":"p","at":1},"writes":["a\"b"]}`,
    '{"version":1,"change":{"kind":"update","principal":"p","at":1},"writes":["a,b"]}',
    '{"version":1,"change":{"kind":"update","principal":"p","at":1},"writes":[{}]}',
  ])('refuses %p', (text) => {
    expect(() => decodeRecord(Buffer.from(text))).toThrow();
  });

  it('leaves out stamps that a damaged record has in the wrong shape', () => {
    const value =
      '{"f":2,"w":"a","v":1,"r":{"a":1,"b":{"c":2},"d":[3]},"rt":{"a":null,"b":[4],"d":"x"},"by":"p","at":1}';
    expect(JSON.parse(JSON.stringify(decodeRecord(Buffer.from(value)).state))).toEqual({
      version: 1,
      reported: { a: 1, b: { c: 2 }, d: [3] },
      metadata: { reported: {} },
    });
  });
});

describe('a trace', () => {
  it('stands before the principal, and an empty state is left out', () => {
    const trace = { traceparent: TRACEPARENT, tracestate: '' };
    const { text, ...record } = golden();
    const written = encodeRecord({ ...record, change: { ...record.change, patch: null, trace } }).toString();
    expect(written).toMatch(`,"tp":"${TRACEPARENT}","by":`);
    expect(text).not.toContain('tp');
  });

  it.each(['"tp":7', '"tp":"00-1-2-3"', `"tp":"ff${TRACEPARENT.slice(2)}"`, '"ts":"a=1"'])(
    'that is none leaves its record readable: %s',
    (members) => {
      const { change } = decodeRecord(Buffer.from(`{"f":2,"w":"a","v":1,${members},"by":"p","at":1}`));
      expect([change.principal, change.trace]).toEqual(['p', undefined]);
    },
  );

  it.each(['"ts":7', '"ts":"A"'])('keeps no state that is none: %s', (member) => {
    const { change } = decodeRecord(
      Buffer.from(`{"f":2,"w":"a","v":1,"tp":"${TRACEPARENT}",${member},"by":"p","at":1}`),
    );
    expect(change.trace).toEqual({ traceparent: TRACEPARENT, tracestate: '' });
  });
});

describe('stamps beyond all numbers', () => {
  it.each([
    '{"f":2,"w":"a","v":1,"r":{"a":1},"rt":1e999,"by":"p","at":1}',
    '{"f":2,"w":"a","v":1,"r":{"a":1},"rt":[1e999,{}],"by":"p","at":1}',
    '{"version":1,"reported":{"a":1},"metadata":{"reported":{"a":{"timestamp":1e999}}},"change":{"kind":"update","principal":"p","at":1},"writes":[]}',
  ])('are left out of %p, which can be written again', (text) => {
    const { state } = decodeRecord(encodeRecord(decodeRecord(Buffer.from(text))));
    expect(JSON.parse(JSON.stringify(state))).toMatchObject({ version: 1, reported: { a: 1 } });
    expect(JSON.stringify(state)).not.toContain('timestamp');
  });
});

/** Values as the two formats were written; a version that cannot read them has lost its stored shadows. */
describe.each(['updated', 'mixed-stamps', 'hostile-names', 'deleted', 'traced'])('the golden record %s', (name) => {
  const file = (format: RecordFormat): Buffer => {
    const text = readFileSync(`test/cases/records/${name}.format-${format}.json`, 'utf8');
    return Buffer.from(text.trimEnd());
  };

  it('is the same record in both formats', () => {
    expect(textOf(decodeRecord(file(2)))).toBe(textOf(decodeRecord(file(1))));
  });

  it.each(RECORD_FORMATS)('is still written like this in format %d', (format) => {
    expect(encodeRecord(decodeRecord(file(1)), format).toString()).toBe(file(format).toString());
  });
});

function golden(): EtcdRecord {
  return decodeRecord(readFileSync('test/cases/records/updated.format-2.json'));
}
