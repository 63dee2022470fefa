import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { base62 } from './base62.js';
import { open, seal } from './sealed-box.js';

const key = randomBytes(32);

describe('a sealed box', () => {
  it('opens with its key and context', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (text, context) => {
        expect(open(key, seal(key, text, context), context)).toBe(Buffer.from(text).toString());
      }),
    );
  });

  it('opens with no other key or context, and never after a change', () => {
    const box = seal(key, 'secret', 'a');
    expect(open(randomBytes(32), box, 'a')).toBeNull();
    expect(open(key, box, 'b')).toBeNull();
    for (const [index] of Buffer.from(box, 'base64url').entries()) {
      const bytes = Buffer.from(box, 'base64url');
      bytes[index] = (bytes[index] as number) ^ 1;
      expect(open(key, bytes.toString('base64url'), 'a')).toBeNull();
    }
  });

  it.each(['', 'AAAA', 'no base64 !'])('is not %j', (box) => {
    expect(open(key, box, '')).toBeNull();
  });
});

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
