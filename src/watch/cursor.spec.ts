import fc from 'fast-check';
import { ServiceError } from '../errors/service-error.js';
import { decodeCursor, encodeCursor } from './cursor.js';

const cursors = fc.record({
  cluster: fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    fc.stringMatching(/^[A-Za-z0-9_-]{1,32}$/),
  ),
  epoch: fc.maxSafeNat(),
  revision: fc.maxSafeNat(),
  seen: fc.option(fc.nat({ max: 999_999_999 })),
});

describe('cursor', () => {
  it('property: comes back as it was, from a text that is safe in a URL', () => {
    fc.assert(
      fc.property(cursors, (cursor) => {
        const text = encodeCursor(cursor);
        expect(text).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
        expect(decodeCursor(text)).toEqual(cursor);
      }),
    );
  });

  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  const good = encode('1.7.0.12.all');

  it.each([
    ['nothing', ''],
    ['no base64', '%%%'],
    ['another version', encode('2.7.0.12.all')],
    ['a negative number', encode('1.7.0.-12.all')],
    ['a leading zero', encode('1.7.0.012.all')],
    ['a number that is no safe integer', encode('1.7.0.9007199254740993.all')],
    ['a fraction', encode('1.7.0.1.5.all')],
    ['an empty cluster', encode('1..0.12.all')],
    ['a missing part', encode('1.7.0.12')],
    ['one part more', encode('1.7.0.12.all.1')],
    ['a line end', encode('1.7.0.12.all\n')],
    ['padding', `${good}=`],
    ['a foreign character inside', `${good.slice(0, 4)}*${good.slice(4)}`],
    ['loose bits at the end', `${encode('1.7.0.12.5').slice(0, -1)}V`],
    ['a very long text', 'A'.repeat(100_000)],
  ])('refuses %s, and says what to do', (_, text) => {
    expect(() => decodeCursor(text)).toThrow(ServiceError);
    expect(() => decodeCursor(text)).toThrow('send one back exactly as it was received');
  });

  it('property: any text is decoded to a cursor with that very text, or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        let cursor;
        try {
          cursor = decodeCursor(text);
        } catch (error) {
          return expect(error).toBeInstanceOf(ServiceError);
        }
        expect(encodeCursor(cursor)).toBe(text);
      }),
    );
  });
});
