import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { derivedKey, MASTER_KEY_BYTES, SecretSeal, UnsealError } from './sealed-secret.js';

const master = randomBytes(MASTER_KEY_BYTES);
const seal = new SecretSeal(master, 'access keys');

describe('SecretSeal', () => {
  it('opens what it has sealed for the same owner', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (secret, owner) => {
        expect(Buffer.compare(seal.open(seal.seal(secret, owner), owner), secret)).toBe(0);
      }),
    );
    expect(seal.open(seal.seal('schlüssel', 'a'), 'a').toString()).toBe('schlüssel');
    expect(seal.open(seal.seal(new Uint8Array(65_536), 'a'), 'a')).toHaveLength(65_536);
  });

  it('makes another text each time, which shows nothing of the secret but its length', () => {
    const texts = Array.from({ length: 50 }, () => seal.seal('secret', 'a'));
    expect(new Set(texts).size).toBe(50);
    for (const text of texts) {
      expect(text).toMatch(/^sealed1\.[\w-]+$/);
      expect(Buffer.from(text, 'base64url').includes('secret')).toBe(false);
    }
  });

  it('opens no text in which one bit was changed', () => {
    const [, body = ''] = seal.seal('secret', 'a').split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => seal.open(`sealed1.${changed.toString('base64url')}`, 'a')).toThrow(UnsealError);
    }
  });

  const sealed = seal.seal('secret', 'a');
  it.each<[string, () => unknown, RegExp]>([
    ['for another owner', () => seal.open(sealed, 'b'), /another owner/],
    [
      'under another master key',
      () => new SecretSeal(randomBytes(32), 'access keys').open(sealed, 'a'),
      /another master/,
    ],
    ['for another purpose', () => new SecretSeal(master, 'token keys').open(sealed, 'a'), /another master/],
    ['without its last byte', () => seal.open(sealed.slice(0, -2), 'a'), /changed/],
    ['without its tag', () => seal.open(sealed.slice(0, -22), 'a'), /cut off/],
    ['cut off', () => seal.open(sealed.slice(0, 20), 'a'), /cut off/],
    ['of another format', () => seal.open(sealed.replace('1', '2'), 'a'), /not a sealed secret/],
    ['that is empty', () => seal.open('', 'a'), /not a sealed secret/],
    ['that is too long', () => seal.open(`sealed1.${'A'.repeat(90_000)}`, 'a'), /not a sealed secret/],
  ])('opens no text %s', (_what, open, reason) => {
    expect(open).toThrow(UnsealError);
    expect(open).toThrow(reason);
  });

  it.each([0, 16, 31, 33, 64])('takes no master key of %i bytes', (length) => {
    expect(() => new SecretSeal(randomBytes(length), 'x')).toThrow(`A master key has 32 bytes, not ${length}`);
  });

  it('seals no secret above its limit', () => {
    expect(() => seal.seal(new Uint8Array(65_537), 'a')).toThrow('A secret may have 65536 bytes at most');
  });
});

describe('derivedKey', () => {
  it('is HKDF with SHA-256 (RFC 5869 sections 2.2, 2.3)', () => {
    const extracted = createHmac('sha256', new Uint8Array(32)).update(master).digest();
    const expanded = createHmac('sha256', extracted).update('label').update(Uint8Array.of(1)).digest();
    expect(Buffer.from(derivedKey(master, 'label')).equals(expanded)).toBe(true);
  });
});
