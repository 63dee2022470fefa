/** Bytes that clients make a node keep, whatever their number and whatever it is: messages, filters, wills, half packets. */
export const MAX_KEPT_BYTES = 256 * 1024 * 1024;

/** One count of everything that connections and sessions make the node keep. Who adds to it also makes room. */
export class MemoryBudget {
  #used = 0;

  constructor(readonly max = MAX_KEPT_BYTES) {}

  get used(): number {
    return this.#used;
  }

  get isExceeded(): boolean {
    return this.#used > this.max;
  }

  /** @param bytes negative: so much is no longer kept */
  add(bytes: number): void {
    this.#used += bytes;
  }
}

/** The part of it that one tenant uses: messages have sessions of one tenant alone. */
export class BudgetShare {
  #used = 0;

  constructor(private readonly whole: MemoryBudget) {}

  get used(): number {
    return this.#used;
  }

  /** Counts it in the whole, too. @param bytes negative: so much is no longer kept */
  add(bytes: number): void {
    this.#used += bytes;
    this.whole.add(bytes);
  }
}
