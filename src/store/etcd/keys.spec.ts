import fc from 'fast-check';
import type { ShadowKey } from '../shadow-store.js';
import { bucketOf, BUCKETS } from '../bucket.js';
import { bucketPrefix, formatKey, parseKey, rangeEnd, shadowsPrefix, thingPrefix } from './keys.js';

const from = (alphabet: string, max: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: max });
const LETTERS = 'abcXYZ019:_-';
const keys: fc.Arbitrary<ShadowKey> = fc.record({
  tenant: from('abc01-', 10),
  thing: from(LETTERS, 128),
  name: fc.option(from(`$${LETTERS}`, 64)),
});
const PREFIX = '/umbra/v1/';

describe('keys', () => {
  it('come back as they were', () => {
    fc.assert(fc.property(keys, (key) => expect(parseKey(PREFIX, formatKey(PREFIX, key))).toEqual(key)));
  });

  it('are distinct for distinct shadows', () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const same = a.tenant === b.tenant && a.thing === b.thing && a.name === b.name;
        expect(formatKey(PREFIX, a) === formatKey(PREFIX, b)).toBe(same);
      }),
    );
  });

  it('lie in the ranges of their thing, their bucket and the whole store, and in no range of another thing', () => {
    const within = (key: string, prefix: string): boolean =>
      Buffer.compare(Buffer.from(key), Buffer.from(prefix)) >= 0 &&
      Buffer.compare(Buffer.from(key), rangeEnd(prefix)) < 0;
    fc.assert(
      fc.property(keys, keys, (key, other) => {
        const text = formatKey(PREFIX, key);
        expect(within(text, shadowsPrefix(PREFIX))).toBe(true);
        expect(within(text, bucketPrefix(PREFIX, bucketOf(key.tenant, key.thing)))).toBe(true);
        expect(within(text, thingPrefix(PREFIX, other.tenant, other.thing))).toBe(
          key.tenant === other.tenant && key.thing === other.thing,
        );
      }),
    );
  });

  it('stay where they are: stored data depends on it', () => {
    expect(formatKey(PREFIX, { tenant: 'default', thing: 'lamp-1', name: null })).toBe(
      '/umbra/v1/shadows/64/default/lamp-1/c',
    );
  });

  it('spread over the buckets', () => {
    const counts = new Array<number>(BUCKETS).fill(0);
    for (let i = 0; i < 25_600; i++) counts[bucketOf('default', `thing-${i}`)]!++;
    expect(Math.min(...counts)).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBeLessThan(200);
  });

  it.each([
    '/umbra/v1/epoch',
    '/umbra/v1/shadows/',
    '/umbra/v1/shadows/64/default/lamp-1/x',
    '/umbra/v1/shadows/64/default/lamp-1/n:',
    '/umbra/v1/shadows/64/default/lamp-1/c/d',
    '/umbra/v1/shadows/64/default//c',
    '/umbra/v1/shadows/00/default/lamp-1/c',
    '/other/v1/shadows/64/default/lamp-1/c',
  ])('do not include %s', (key) => {
    expect(parseKey(PREFIX, key)).toBeNull();
  });
});
