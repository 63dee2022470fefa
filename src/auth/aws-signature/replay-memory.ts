/**
 * - `first`: the signature was not used before, and is remembered now
 * - `again`: it was used before
 * - `full`: too many are remembered that are still good
 */
export type Use = 'first' | 'again' | 'full';

/** The signatures of URLs that were used and could be used again, each until it is late. */
export class ReplayMemory {
  /** Epoch milliseconds of the first use, by signature. */
  readonly #used = new Map<string, number>();
  /** Signatures by the epoch second at whose beginning all of them are late. */
  readonly #ending = new Map<number, string[]>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /**
   * @param max signatures that are remembered
   * @param graceMs how long after its first use a signature may be used again: devices that share a key and connect
   * within one second have the same URL
   */
  constructor(
    private readonly max: number,
    private readonly graceMs: number,
  ) {}

  get size(): number {
    return this.#used.size;
  }

  /**
   * Call this for good signatures only.
   * @param signature hexadecimal digits
   * @param goodUntil epoch milliseconds of the last moment at which it is good
   * @param now epoch milliseconds
   */
  use(signature: string, goodUntil: number, now: number): Use {
    // A string of 32 characters of its own; the given one may keep the whole URL alive.
    const used = Buffer.from(signature, 'hex').toString('latin1');
    this.#sweep(Math.floor(now / 1000));
    const usedAt = this.#used.get(used);
    if (usedAt !== undefined) return Math.abs(now - usedAt) < this.graceMs ? 'first' : 'again';
    if (this.#used.size >= this.max) return 'full';
    this.#used.set(used, now);
    const second = Math.floor(goodUntil / 1000) + 1;
    const others = this.#ending.get(second);
    if (others) others.push(used);
    else this.#ending.set(second, [used]);
    return 'first';
  }

  /** Forgets those that are late, once a second. There are as many seconds as signatures may be good. */
  #sweep(second: number): void {
    if (second === this.#sweptAt) return;
    this.#sweptAt = second;
    for (const [ending, signatures] of this.#ending) {
      if (ending > second) continue;
      for (const signature of signatures) this.#used.delete(signature);
      this.#ending.delete(ending);
    }
  }
}
