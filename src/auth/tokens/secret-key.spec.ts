import fc from 'fast-check';
import { secretKeyId, SecretKeys } from './secret-key.js';

const master = Buffer.alloc(32, 1);
const keys = new SecretKeys(master);

describe('SecretKeys', () => {
  it('makes keys that scanners find, each another', () => {
    const made = Array.from({ length: 200 }, () => keys.make());
    for (const { id, text, digest } of made) {
      expect(text).toMatch(/^umk_[0-9A-Za-z]{64}$/);
      expect(secretKeyId(text)).toBe(id);
      expect(digest).not.toContain(text.slice(20, 30));
    }
    expect(new Set(made.map(({ text }) => text)).size).toBe(200);
    expect(new Set(made.map(({ id }) => id)).size).toBe(200);
  });

  it('knows its own key by the digest, and no other', () => {
    const [a, b] = [keys.make(), keys.make()];
    expect(keys.matches(a.text, a.digest)).toBe(true);
    expect(keys.matches(a.text, b.digest)).toBe(false);
    expect(keys.matches(b.text, a.digest)).toBe(false);
  });

  it.each([null, '', 'AAAA', Buffer.alloc(32).toString('base64url')])('matches no key with the digest %j', (digest) => {
    expect(keys.matches(keys.make().text, digest)).toBe(false);
  });

  it('has digests that another master key does not make', () => {
    const { text, digest } = keys.make();
    expect(new SecretKeys(Buffer.alloc(32, 2)).matches(text, digest)).toBe(false);
  });
});

describe('secretKeyId', () => {
  it('refuses every key with one changed character', () => {
    const { text } = keys.make();
    const change = fc.tuple(fc.nat(text.length - 1), fc.constantFrom(...'0123456789ABCabcxyz_- \n'));
    fc.assert(
      fc.property(change, ([index, character]) => {
        fc.pre(text[index] !== character);
        expect(secretKeyId(text.slice(0, index) + character + text.slice(index + 1))).toBeNull();
      }),
    );
  });

  it.each(['', 'umk_', `umk_${'0'.repeat(64)}`, `${keys.make().text}\n`, ` ${keys.make().text}`, 'x'.repeat(10_000)])(
    'refuses what is none: %#',
    (text) => {
      expect(secretKeyId(text)).toBeNull();
    },
  );
});
