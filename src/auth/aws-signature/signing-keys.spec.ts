import { randomBytes } from 'node:crypto';
import { SecretSeal } from '../sealed-secret.js';
import { ACCESS_KEY_PURPOSE, createAccessKey } from './access-key.js';
import type { Credential } from './credential.js';
import { SigningKeys } from './signing-keys.js';

const seal = new SecretSeal(randomBytes(32), ACCESS_KEY_PURPOSE);
const scoped = (keyId: string, region = 'us-east-1', service = 'iam'): Credential => {
  const scope = `20150830/${region}/${service}/aws4_request`;
  return { text: `${keyId}/${scope}`, keyId, scope, date: '20150830', region, service };
};

describe('SigningKeys', () => {
  it('derives the key of the example in the guide of AWS for signing requests', () => {
    const id = 'AKIDEXAMPLE';
    const sealedSecret = seal.seal('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', id);
    const signingKey = new SigningKeys(seal, 1).derive({ id, sealedSecret, sessionTokenHash: null }, scoped(id));
    const hashed = 'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59';
    const text = `AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n${hashed}`;
    expect(signingKey.hex(text)).toBe('5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7');
  });

  it('remembers as many as it may, and drops those that were used least recently', () => {
    const keys = new SigningKeys(seal, 2);
    const key = createAccessKey(seal);
    const [a, b, c] = ['a', 'b', 'c'].map((region) => scoped(key.id, region)) as [Credential, Credential, Credential];
    for (const each of [a, b]) keys.remember(key, each, keys.derive(key, each));
    expect(keys.get(key, a)).toBeDefined();
    keys.remember(key, c, keys.derive(key, c));
    expect([a, b, c].map((each) => keys.get(key, each) !== undefined)).toEqual([true, false, true]);
    expect(keys.size).toBe(2);
  });
});

describe('createAccessKey', () => {
  const keys = Array.from({ length: 200 }, () => createAccessKey(seal));

  it('makes ids and secrets that are not repeated, in the form that clients of AWS expect', () => {
    for (const { id, secret } of keys) {
      expect(id).toMatch(/^UMBA[A-Z2-7]{16}$/);
      expect(secret).toMatch(/^[\w-]{40}$/);
    }
    expect(new Set(keys.map(({ id }) => id)).size).toBe(200);
    expect(new Set(keys.map(({ secret }) => secret)).size).toBe(200);
    // Each character of the alphabet comes up at each place: 200 ids leave one out with a chance of 32 * (31 / 32) ** 3200.
    expect(new Set(keys.flatMap(({ id }) => [...id.slice(4)])).size).toBe(32);
  });

  it('seals the secret for its id', () => {
    for (const { id, secret, sealedSecret } of keys.slice(0, 5))
      expect(seal.open(sealedSecret, id).toString()).toBe(secret);
  });
});
