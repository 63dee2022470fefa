/**
 * - `first`: the signature was not used before, and is remembered now
 * - `again`: it was used before
 * - `excess`: too many of its key are remembered that are still good
 * - `full`: too many of all keys
 */
export type Use = 'first' | 'again' | 'excess' | 'full';

interface Used {
  readonly signature: string;
  readonly keyId: string;
}

/** The signatures of URLs that were used and could be used again, each until it is late. */
export class ReplayMemory {
  /** Epoch milliseconds of the first use, by signature. */
  readonly #used = new Map<string, number>();
  /** Signatures by the epoch second at whose beginning all of them are late. */
  readonly #ending = new Map<number, Used[]>();
  /** How many are remembered of each key. */
  readonly #ofKey = new Map<string, number>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /**
   * @param max signatures that are remembered
   * @param maxOfKey the same of one key: one must not shut out all others
   * @param graceMs how long after its first use a signature may be used again: devices that share a key and connect
   * within one second have the same URL
   */
  constructor(
    private readonly max: number,
    private readonly maxOfKey: number,
    private readonly graceMs: number,
  ) {}

  get size(): number {
    return this.#used.size;
  }

  /**
   * Call this for good signatures only.
   * @param keyId id of the key that it was made with
   * @param signature hexadecimal digits
   * @param goodUntil epoch milliseconds of the last moment at which it is good
   * @param now epoch milliseconds
   */
  use(keyId: string, signature: string, goodUntil: number, now: number): Use {
    // A string of 32 characters of its own; the given one may keep the whole URL alive.
    const used = Buffer.from(signature, 'hex').toString('latin1');
    this.#sweep(Math.floor(now / 1000));
    const usedAt = this.#used.get(used);
    if (usedAt !== undefined) return Math.abs(now - usedAt) < this.graceMs ? 'first' : 'again';
    const ofKey = this.#ofKey.get(keyId) ?? 0;
    if (ofKey >= this.maxOfKey) return 'excess';
    if (this.#used.size >= this.max) return 'full';
    this.#ofKey.set(keyId, ofKey + 1);
    this.#used.set(used, now);
    const second = Math.floor(goodUntil / 1000) + 1;
    const others = this.#ending.get(second);
    if (others) others.push({ signature: used, keyId });
    else this.#ending.set(second, [{ signature: used, keyId }]);
    return 'first';
  }

  /** Forgets those that are late, once a second. There are as many seconds as signatures may be good. */
  #sweep(second: number): void {
    if (second === this.#sweptAt) return;
    this.#sweptAt = second;
    for (const [ending, signatures] of this.#ending) {
      if (ending > second) continue;
      for (const each of signatures) this.#forget(each);
      this.#ending.delete(ending);
    }
  }

  #forget({ signature, keyId }: Used): void {
    this.#used.delete(signature);
    const left = (this.#ofKey.get(keyId) ?? 0) - 1;
    if (left > 0) this.#ofKey.set(keyId, left);
    else this.#ofKey.delete(keyId);
  }
}
