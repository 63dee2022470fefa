import fc from 'fast-check';
import type { JsonObject, ShadowState } from '../../document/shadow-document.js';
import { decodeRecord, encodeRecord, type EtcdRecord } from './codec.js';

const objects = fc
  .dictionary(
    fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'a.b', '', '\0')),
    fc.jsonValue({ maxDepth: 5 }),
  )
  .map((object) => JSON.parse(JSON.stringify(object)) as JsonObject);
const versions = fc.integer({ min: 1 });
const states: fc.Arbitrary<ShadowState> = fc.oneof(
  fc.record({ deleted: fc.constant(true as const), version: versions, deletedAt: fc.nat() }),
  fc.record(
    { version: versions, desired: objects, reported: objects, metadata: fc.constant({}) },
    { requiredKeys: ['version', 'metadata'] },
  ),
);
const records: fc.Arbitrary<Omit<EtcdRecord, 'bytes'>> = fc.record({
  state: states,
  change: fc.record(
    {
      kind: fc.constantFrom('update' as const, 'delete' as const),
      patch: fc.oneof(fc.constant(null), fc.record({ desired: objects })),
      clientToken: fc.string(),
      principal: fc.string(),
      at: fc.nat(),
    },
    { requiredKeys: ['kind', 'principal', 'at'] },
  ),
  writes: fc.array(fc.string(), { maxLength: 8 }),
});

describe('codec', () => {
  it('gives every record back, and changes no prototype', () => {
    fc.assert(
      fc.property(records, (record) => {
        const value = encodeRecord(record);
        const { bytes, ...decoded } = decodeRecord(value);
        // As text: members called __proto__ are members, and an absent section is not one that is undefined.
        expect(JSON.stringify(decoded)).toBe(JSON.stringify(record));
        expect(bytes).toBe(value.length);
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      }),
    );
  });

  it('can be read by people', () => {
    const change = { kind: 'update', patch: { reported: { on: true } }, principal: 'lamp', at: 5 } as const;
    const state = { version: 3, reported: { on: true }, metadata: { reported: { on: { timestamp: 1 } } } };
    expect(encodeRecord({ state, change, writes: ['w.1'] }).toString()).toBe(
      '{"version":3,"reported":{"on":true},"metadata":{"reported":{"on":{"timestamp":1}}},' +
        '"change":{"kind":"update","patch":{"reported":{"on":true}},"principal":"lamp","at":5},"writes":["w.1"]}',
    );
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
  ])('refuses %p', (text) => {
    expect(() => decodeRecord(Buffer.from(text))).toThrow();
  });
});
