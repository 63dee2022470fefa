import { randomBytes, randomInt } from 'node:crypto';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BITS = 6;
const MASK = (1 << BITS) - 1;
/** Ids of one prefix: what four digits can count. */
const PER_PREFIX = 1 << (4 * BITS);

/**
 * Ids of ten characters: a random prefix of 36 bits, and a count of 24 bits from a random start; after 16 million ids
 * another prefix. An id is compared only with ids of writes of the same shadow: with what the watch brings while its write
 * is under way, and with at most 64 times 8 ids when it is in doubt. Two ids of different prefixes are equal with a
 * chance of 2^-60, so a wrong answer about a write in doubt has a chance below 10^-15. Ids of one prefix are distinct.
 */
export class WriteIds {
  #prefix = '';
  #count = 0;
  #left = 0;

  /** @param perPrefix ids until another prefix; tests lower it */
  constructor(private readonly perPrefix = PER_PREFIX) {}

  /** A new id. No errors. */
  next(): string {
    if (this.#left === 0) this.#renew();
    this.#left--;
    const n = (this.#count = (this.#count + 1) % PER_PREFIX);
    return (
      this.#prefix + DIGITS[n >>> 18]! + DIGITS[(n >>> 12) & MASK]! + DIGITS[(n >>> 6) & MASK]! + DIGITS[n & MASK]!
    );
  }

  #renew(): void {
    // Six characters of eight: the others would be as random.
    this.#prefix = randomBytes(6).toString('base64url').slice(0, 6);
    this.#count = randomInt(PER_PREFIX);
    this.#left = this.perPrefix;
  }
}
