import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { HmacSha256 } from './hmac-sha256.js';

describe('HmacSha256', () => {
  it('is the HMAC of node:crypto', () => {
    const ascii = fc.string({ unit: 'binary-ascii', maxLength: 512 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), ascii, ascii, (key, first, second) => {
        const hmac = new HmacSha256(key);
        for (const message of [first, second, first]) {
          expect(hmac.hex(message)).toBe(createHmac('sha256', key).update(message).digest('hex'));
        }
      }),
    );
  });

  it('keeps keys apart', () => {
    const [one, other] = [new HmacSha256(Buffer.from('one')), new HmacSha256(Buffer.from('other'))];
    const first = one.hex('message');
    expect(other.hex('message')).not.toBe(first);
    expect(one.hex('message')).toBe(first);
  });

  it('refuses what does not fit its blocks', () => {
    expect(() => new HmacSha256(new Uint8Array(65))).toThrow(RangeError);
    expect(() => new HmacSha256(new Uint8Array(32)).hex('a'.repeat(513))).toThrow(RangeError);
  });
});
