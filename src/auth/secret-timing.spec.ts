import { randomBytes } from 'node:crypto';
import { compareTimes, LEAK, TEXTS, type Shown } from '../../test/harness/timing.js';
import { isSameDigest } from './aws-signature/same-digest.js';
import { isSameText } from './same-text.js';
import { RefreshTokenTexts } from './tokens/refresh-token.js';
import { SecretKeys } from './tokens/secret-key.js';

const HEX = '0123456789abcdef';
const BASE62 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** What must not be guessed one character after the other, and how it is compared. */
interface Subject {
  /** A secret as a client shows it. */
  readonly secret: string;
  /** Index from which it is secret. */
  readonly from: number;
  readonly alphabet: string;
  readonly compare: (shown: string) => unknown;
}

const masterKey = randomBytes(32);
const SUBJECTS: Record<string, () => Subject> = {
  'a key, which is the secret of an OAuth client too'() {
    const keys = new SecretKeys(masterKey);
    const { text, digest } = keys.make();
    return { secret: text, from: 19, alphabet: BASE62, compare: (shown) => keys.matches(shown, digest) };
  },
  'a refresh token by its MAC'() {
    const texts = new RefreshTokenTexts(masterKey);
    // The MAC alone: to compute it, which no text makes longer, takes so long that little would be seen beside it.
    const secret = texts.make(texts.makeFamily('acme', 'ann')).slice(-22);
    return { secret, from: 0, alphabet: BASE62, compare: (shown) => isSameText(secret, shown) };
  },
  'a signature of AWS, or the hash of a session token'() {
    const secret = randomBytes(32).toString('hex');
    return { secret, from: 0, alphabet: HEX, compare: (shown) => isSameDigest(secret, shown) };
  },
};

/** Of bytes, so that no text is made of parts whose joining is timed too. */
function withEnd(secret: string, keep: number, alphabet: string): string {
  const wrong = [...alphabet].filter((character) => character !== secret[keep]);
  const next = wrong[Math.floor(Math.random() * wrong.length)] ?? '';
  const rest = Array.from({ length: secret.length - keep - 1 }, () => alphabet[randomBytes(1)[0]! % alphabet.length]);
  return Buffer.from([secret.slice(0, keep), next, ...rest].join('')).toString('latin1');
}

function shownOf({ secret, from, alphabet }: Subject): Shown[] {
  return Array.from({ length: 2 * TEXTS }, (_, n) => {
    const isNear = n % 2 === 0;
    return { isNear, text: withEnd(secret, isNear ? secret.length - 1 : from, alphabet) };
  });
}

/** The same work, and then a comparison that ends at the first difference. */
function plantedIn({ secret, compare }: Subject): (shown: string) => boolean {
  return (shown) => {
    compare(shown);
    for (let n = 0; n < secret.length; n++) if (shown.charCodeAt(n) !== secret.charCodeAt(n)) return false;
    return true;
  };
}

describe('the time of a comparison', () => {
  it.each(Object.entries(SUBJECTS))(
    'tells nothing of %s',
    (_, make) => {
      const subject = make();
      const { real, planted, rounds } = compareTimes(subject.compare, plantedIn(subject), () => shownOf(subject));
      process.stdout.write(`planted ${planted.toFixed(1)}, real ${real.toFixed(1)} after ${rounds} rounds\n`);
      expect(planted).toBeGreaterThan(LEAK);
      expect(real).toBeLessThan(LEAK);
    },
    120_000,
  );
});
