/** A count that has come here is no longer exact, and stays. */
const FULL = 255;

/**
 * Tells from the hash of a name alone that a set does not have it: most changes of a feed are of names that nobody here
 * has to do with, and those are never made into strings. One byte for each slot; names share slots.
 */
export class NameCounts {
  readonly #counts: Uint8Array;

  /** @param slots a power of two; with as many names as slots nearly two thirds of all other names may seem to be in it */
  constructor(private readonly slots: number) {
    this.#counts = new Uint8Array(slots);
  }

  /** False: the set has no name of this hash; true: it may have one. No errors. */
  mayHave(hash: number): boolean {
    return this.#counts[hash & (this.slots - 1)] !== 0;
  }

  /** Takes the hash of one name more. No errors. */
  add(hash: number): void {
    const slot = hash & (this.slots - 1);
    const count = this.#counts[slot]!;
    if (count < FULL) this.#counts[slot] = count + 1;
  }

  /** Takes back one `add`. No errors. */
  remove(hash: number): void {
    const slot = hash & (this.slots - 1);
    const count = this.#counts[slot]!;
    if (count < FULL) this.#counts[slot] = count - 1;
  }
}
