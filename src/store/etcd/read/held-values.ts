import { ValueBlocks, type Place } from './value-blocks.js';

export interface HeldValue {
  readonly text: string;
  /** Bytes of the value. */
  readonly bytes: number;
  readonly revision: number;
}

/** Values of keys in the order in which they came. */
export class HeldValues {
  readonly #places = new Map<string, Place>();
  readonly #blocks = new ValueBlocks();
  /** Goes through the keys; what it has gone through is removed, so it is never slow to find the oldest. */
  #oldest: Iterator<string> | null = null;

  get size(): number {
    return this.#places.size;
  }

  /** Bytes that are allocated for values. */
  get allocated(): number {
    return this.#blocks.allocated;
  }

  /** No errors. */
  has(key: string): boolean {
    return this.#places.has(key);
  }

  /** 0: there is no value. No errors. */
  revisionOf(key: string): number {
    const place = this.#places.get(key);
    return place === undefined ? 0 : this.#blocks.revisionOf(place);
  }

  /** Takes the value of a key that has none. @param bytes of the value. No errors. */
  add(key: string, value: string | Buffer, bytes: number, revision: number): void {
    this.#places.set(key, this.#blocks.add(value, bytes, revision));
  }

  /** The value of a key. No errors. */
  get(key: string): HeldValue | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const blocks = this.#blocks;
    return { text: blocks.textOf(place), bytes: blocks.bytesOf(place), revision: blocks.revisionOf(place) };
  }

  /** Removes the value of a key. @returns its bytes; null: there is none. No errors. */
  delete(key: string): number | null {
    const place = this.#places.get(key);
    if (place === undefined) return null;
    this.#places.delete(key);
    const bytes = this.#blocks.bytesOf(place);
    this.#blocks.free(place);
    return bytes;
  }

  /** Removes the value that came first. @returns its bytes; null: there is none. No errors. */
  deleteOldest(): number | null {
    let step = this.#oldest?.next();
    if (!step || step.done) step = (this.#oldest = this.#places.keys()).next();
    return step.done ? null : this.delete(step.value);
  }

  /** Removes all. No errors. */
  clear(): void {
    this.#places.clear();
    this.#oldest = null;
    this.#blocks.clear();
  }
}
