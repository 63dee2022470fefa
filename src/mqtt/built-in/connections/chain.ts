/** A member of at most one Chain at a time. */
export interface Chained {
  next: Chained | null;
}

/** A queue that its members form themselves: adding and taking allocate nothing. */
export class Chain<T extends Chained> implements Iterable<T> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | null {
    return this.#first;
  }

  /** Adds a member after all others. */
  push(member: T): void {
    member.next = null;
    if (this.#last === null) this.#first = member;
    else this.#last.next = member;
    this.#last = member;
    this.#size++;
  }

  /** Removes the first member and returns it; null when there is none. */
  shift(): T | null {
    const member = this.#first;
    if (member === null) return null;
    this.#first = member.next as T | null;
    if (this.#first === null) this.#last = null;
    member.next = null;
    this.#size--;
    return member;
  }

  /** Removes the first member for which `is` holds and returns it; null when there is none. Looks at each before it. */
  take(is: (member: T) => boolean): T | null {
    let before: T | null = null;
    for (let at = this.#first; at !== null; before = at, at = at.next as T | null) {
      if (!is(at)) continue;
      if (before === null) return this.shift();
      before.next = at.next;
      if (this.#last === at) this.#last = before;
      at.next = null;
      this.#size--;
      return at;
    }
    return null;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = this.#first; at !== null; at = at.next as T | null) yield at;
  }
}
