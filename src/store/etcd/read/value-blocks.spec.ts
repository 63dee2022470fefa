import fc from 'fast-check';
import { anyCharacter } from '../../../../test/harness/any-character.js';
import { ValueBlocks } from './value-blocks.js';

describe('value blocks', () => {
  it('give back each value as it was stored, whatever came and went around it', () => {
    const value = fc.oneof(
      fc.string({ unit: anyCharacter, maxLength: 20 }),
      fc.nat(300).map((length) => 'x'.repeat(length)),
      fc.nat(4_000).map((length) => '\u20ac'.repeat(length)),
    );
    const key = fc.string({ unit: anyCharacter, maxLength: 90 });
    const step = fc.record({ key, value, drop: fc.nat(5), revision: fc.maxSafeNat(), asText: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const blocks = new ValueBlocks();
        const held: { place: number; text: string; bytes: number; revision: number }[] = [];
        for (const { key, value, drop, revision, asText } of steps) {
          const bytes = Buffer.from(value);
          const place = blocks.add(key, asText ? value : bytes, bytes.length, revision);
          held.push({ place, text: bytes.toString(), bytes: bytes.length, revision });
          if (drop < 3) for (const { place } of held.splice(drop, 1)) blocks.free(place);
        }
        const given = held.map(({ place }) => {
          const [text, bytes, revision] = [blocks.textOf(place), blocks.bytesOf(place), blocks.revisionOf(place)];
          return { place, text, bytes, revision };
        });
        expect(given).toEqual(held);
      }),
      { numRuns: 50 },
    );
  });

  it('take for a value what they say, also for one that is larger than what is allocated at once', () => {
    for (const length of [0, 1, 47, 48, 49, 107, 108, 109, 520, 100_000, 3_000_000]) {
      const blocks = new ValueBlocks();
      const count = Math.ceil((3 * 1024 ** 2) / ValueBlocks.bytesFor(length));
      const text = 'x'.repeat(length);
      let last = 0;
      for (let i = 0; i < count; i++) last = blocks.add('', text, length, i);
      expect(blocks.textOf(last) === text).toBe(true);
      const taken = count * ValueBlocks.bytesFor(length);
      expect(blocks.allocated).toBe(Math.ceil(taken / 1024 ** 2) * 1024 ** 2);
    }
  });

  it('use the memory of values that are gone before they take more', () => {
    const blocks = new ValueBlocks();
    const places = Array.from({ length: 2_000 }, (_, i) => blocks.add('', 'x'.repeat(i), i, i));
    const { allocated } = blocks;
    for (let round = 0; round < 10; round++) {
      for (const place of places.splice(0)) blocks.free(place);
      for (let i = 1_999; i >= 0; i--) places.push(blocks.add('', 'y'.repeat(i), i, i));
    }
    expect(blocks.allocated).toBe(allocated);
    blocks.clear();
    expect(blocks.allocated).toBe(0);
  });
});
