import { Fifo } from '../../../resilience/fifo.js';

/** What happens to an offered item. `skip` and `stop` leave it in its place; `stop` also ends the round. */
export type Answer = 'take' | 'drop' | 'skip' | 'stop';

/** One line per tenant, served in turns: a tenant with ten thousand waiting writes delays another by one turn. */
export class FairQueue<T> {
  /** Lines that are not empty; the order of the map is the order of the turns. */
  readonly #lines = new Map<string, Fifo<T>>();
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
   * Offers items, one of each tenant in turn and each once, until nothing is left or `decide` says `stop`. The tenant of
   * the item that stopped keeps its turn: it comes first the next time.
   */
  take(decide: (item: T) => Answer): T[] {
    const taken: T[] = [];
    const left: [string, T][] = [];
    while (this.#size > 0) {
      const [tenant, line] = this.#lines.entries().next().value!;
      const item = line.take()!;
      const answer = decide(item);
      if (answer === 'stop') {
        line.putBack(item);
        break;
      }
      this.#size--;
      this.#lines.delete(tenant);
      if (line.size > 0) this.#lines.set(tenant, line);
      if (answer === 'take') taken.push(item);
      else if (answer === 'skip') left.push([tenant, item]);
    }
    for (const [tenant, item] of left.reverse()) {
      this.#lineOf(tenant).putBack(item);
      this.#size++;
    }
    return taken;
  }

  /** Takes all items. */
  drain(): T[] {
    return this.take(() => 'take');
  }

  #lineOf(tenant: string): Fifo<T> {
    let line = this.#lines.get(tenant);
    if (!line) this.#lines.set(tenant, (line = new Fifo()));
    return line;
  }
}
