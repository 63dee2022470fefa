import fc from 'fast-check';
import { deepFreeze, sectionText } from '../../test/harness/json-arbitraries.js';
import { mergeSection } from './merge.js';
import { epochSeconds, mirrorMetadata } from './metadata.js';
import type { Json, JsonObject, Metadata, MetadataLeaf, MetadataObject, StatePatch } from './shadow-document.js';
import { compactMetadata, expandStamps, mergeStamps } from './stamps.js';

const parse = <T>(text: string): T => deepFreeze(JSON.parse(text) as T);
const OLD = { timestamp: 1 };
const NEW = { timestamp: 2 };

/** The stamps of a merge, given and taken as metadata in full. */
function mergeMetadata(
  { state, metadata }: { readonly state: JsonObject; readonly metadata: MetadataObject },
  after: JsonObject,
  patch: JsonObject,
  { timestamp }: MetadataLeaf,
): MetadataObject {
  const merged = mergeStamps({ state, stamps: compactMetadata(state, metadata) }, after, patch, timestamp);
  return expandStamps(after, merged) as MetadataObject;
}

/** The kept section and metadata after `first`, then what `second` makes of the metadata. */
function stamps(first: string, second: string): MetadataObject {
  const state = mergeSection(undefined, parse(first));
  const metadata = mergeMetadata({ state: {}, metadata: {} }, state, parse(first), OLD);
  const patch = parse<JsonObject>(second);
  const before = deepFreeze({ state, metadata });
  return mergeMetadata(before, mergeSection(state, patch), patch, NEW);
}

describe('the metadata of a merge', () => {
  it.each<[string, string, string, unknown]>([
    ['a named leaf, changed or not', '{"a":1,"b":2}', '{"a":1}', { a: NEW, b: OLD }],
    ['only the leaves named', '{"n":{"b":2,"c":3}}', '{"n":{"c":4}}', { n: { b: OLD, c: NEW } }],
    ['a removed leaf', '{"a":1,"b":2}', '{"a":null}', { b: OLD }],
    ['a nested object that empties', '{"n":{"b":2}}', '{"n":{"b":null}}', { n: {} }],
    ['{} restamps nothing', '{"n":{"b":2}}', '{"n":{}}', { n: { b: OLD } }],
    ['{} for nothing', '{}', '{"n":{}}', { n: {} }],
    [
      'one node per element',
      '{}',
      '{"xs":[1,"two",{"three":3,"list":[false]},[]]}',
      { xs: [NEW, NEW, { three: NEW, list: [NEW] }, []] },
    ],
    ['an array restamps whole', '{"xs":[1,2]}', '{"xs":[1]}', { xs: [NEW] }],
    ['a scalar that becomes an object', '{"a":1}', '{"a":{"b":1,"c":null}}', { a: { b: NEW } }],
    ['an object that becomes a scalar', '{"a":{"b":1}}', '{"a":1}', { a: NEW }],
    ['a member called timestamp', '{"timestamp":5}', '{"b":1}', { timestamp: OLD, b: NEW }],
    [
      'an object with a member called timestamp',
      '{"a":{"timestamp":5}}',
      '{"a":{"b":1}}',
      { a: { timestamp: OLD, b: NEW } },
    ],
    ['a leaf is no object with a timestamp', '{"a":5}', '{"a":{"b":1}}', { a: { b: NEW } }],
    ['nulls that create nothing', '{"a":1}', '{"b":{"c":null}}', { a: OLD }],
  ])('%s', (_what, first, second, expected) => {
    expect(stamps(first, second)).toEqual(expected);
  });

  it('keeps hostile names as data', () => {
    expect(JSON.stringify(stamps('{"__proto__":{"a":1},"constructor":1}', '{"__proto__":{"b":1}}'))).toBe(
      '{"__proto__":{"a":{"timestamp":1},"b":{"timestamp":2}},"constructor":{"timestamp":1}}',
    );
  });

  it('gets over nodes that a damaged record lacks', () => {
    const state = parse<JsonObject>('{"a":{"x":1},"b":1}');
    const patch = parse<JsonObject>('{"a":{"y":1}}');
    const after = mergeSection(state, patch);
    expect(mergeMetadata({ state, metadata: {} }, after, patch, NEW)).toEqual({ a: { y: NEW } });
  });

  it('mirrors the shape of the state, whatever was sent', () => {
    fc.assert(
      fc.property(sectionText, sectionText, (first, second) => {
        const state = mergeSection(mergeSection(undefined, parse(first)), parse(second));
        expect(shapeOfNodes(state, stamps(first, second))).toBe(true);
      }),
    );
  });
});

describe('mirrorMetadata', () => {
  it.each<[string, unknown]>([
    ['null', NEW],
    ['{}', {}],
    ['{"desired":null}', { desired: NEW }],
    [
      '{"desired":{},"reported":{"a":null,"b":{"c":null},"d":[1]}}',
      { desired: {}, reported: { a: NEW, b: { c: NEW }, d: [NEW] } },
    ],
  ])('%s', (patch, expected) => {
    expect(mirrorMetadata(parse<StatePatch>(patch), 2)).toEqual(expected);
  });
});

it.each([
  [1_700_000_000_999, 1_700_000_000],
  [1_700_000_001_000, 1_700_000_001],
])('%d ms are %d s', (ms, seconds) => {
  expect(epochSeconds(ms)).toBe(seconds);
});

function shapeOfNodes(value: Json, node: Metadata | undefined): boolean {
  if (typeof value !== 'object' || value === null) return typeof (node as typeof OLD).timestamp === 'number';
  if (Array.isArray(value) !== Array.isArray(node)) return false;
  const [values, nodes] = [new Map(Object.entries(value)), new Map(Object.entries(node ?? {}))];
  return (
    values.size === nodes.size && [...values].every(([key, child]) => shapeOfNodes(child, nodes.get(key) as Metadata))
  );
}
