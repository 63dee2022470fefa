/** Taken slots that are tolerated at the front before the array is cut. */
const SLACK = 1024;

/**
 * A first-in, first-out queue on an array with a moving head: taking costs no shift, however long the queue. It has no
 * bound of its own; its owner decides what happens when it is full.
 */
export class Fifo<T> implements Iterable<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** Adds `item` after all others. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Adds `item` before all others. An array has to shift only when no taken slot is left at its front. */
  putBack(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  /** The item that take() returns next; undefined when the queue is empty. */
  peek(): T | undefined {
    return this.#items[this.#head];
  }

  /** The item that was pushed last; undefined when the queue is empty. */
  last(): T | undefined {
    return this.size > 0 ? this.#items[this.#items.length - 1] : undefined;
  }

  /** The item at `index`, counted from the one that is taken next. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  /** Removes the oldest item and returns it; undefined when the queue is empty. */
  take(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    // The slot must not keep the item alive until the array is cut.
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head >= SLACK && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Drops all items. */
  clear(): void {
    this.#items = [];
    this.#head = 0;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = this.#head; at < this.#items.length; at++) yield this.#items[at] as T;
  }
}
