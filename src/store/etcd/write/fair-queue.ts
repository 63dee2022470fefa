/** First in, first out, without a shift per item. */
class Line<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  /** Only of a line that is not empty. */
  shift(): T {
    const item = this.#items[this.#head] as T;
    // Not held any longer than it waits.
    this.#items[this.#head++] = undefined;
    if (this.#head >= TRIM_AFTER) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }
}

/** Items taken after which their places are cut off a line that never empties. */
const TRIM_AFTER = 1024;

/** What to do with the item on offer: `skip` leaves it where it is, `stop` does too and ends the taking. */
export type Answer = 'take' | 'drop' | 'skip' | 'stop';

/** One line per tenant, taken from in turns: a tenant with ten thousand waiting writes delays another by one turn. */
export class FairQueue<T> {
  /** Only lines that hold something; the order of the map is the order of the turns. */
  readonly #lines = new Map<string, Line<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Puts the item at the end of the line of its tenant. */
  push(tenant: string, item: T): void {
    this.#lineOf(tenant).push(item);
    this.#size++;
  }

  /**
   * Offers items, one of each tenant in turn and each once, until nothing is left or `decide` says `stop`. Whoever is
   * stopped at keeps its turn: it comes first the next time.
   */
  take(decide: (item: T) => Answer): T[] {
    const taken: T[] = [];
    const left: [string, T][] = [];
    while (this.#size > 0) {
      const [tenant, line] = this.#lines.entries().next().value!;
      const item = line.shift();
      const answer = decide(item);
      if (answer === 'stop') {
        line.unshift(item);
        break;
      }
      this.#size--;
      this.#lines.delete(tenant);
      if (line.size > 0) this.#lines.set(tenant, line);
      if (answer === 'take') taken.push(item);
      else if (answer === 'skip') left.push([tenant, item]);
    }
    for (const [tenant, item] of left.reverse()) {
      this.#lineOf(tenant).unshift(item);
      this.#size++;
    }
    return taken;
  }

  /** Empties the queue. */
  drain(): T[] {
    return this.take(() => 'take');
  }

  #lineOf(tenant: string): Line<T> {
    let line = this.#lines.get(tenant);
    if (!line) this.#lines.set(tenant, (line = new Line()));
    return line;
  }
}
