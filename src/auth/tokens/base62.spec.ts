import fc from 'fast-check';
import { base62 } from './base62.js';

describe('base62', () => {
  it('keeps the order and the length of numbers', () => {
    const bytes = fc.uint8Array({ minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const [x, y] = [base62(a, 11), base62(b, 11)];
        expect([x.length, y.length]).toEqual([11, 11]);
        expect(Math.sign(Buffer.compare(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0);
      }),
    );
  });

  it('refuses what does not fit', () => {
    expect(base62(Uint8Array.of(61), 1)).toBe('z');
    expect(() => base62(Uint8Array.of(62), 1)).toThrow(RangeError);
  });
});
