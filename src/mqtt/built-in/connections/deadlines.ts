import type { Connection } from './connection.js';

/** Milliseconds between two looks at a part of the connections. */
const TICK_MS = 100;
/** Every connection is looked at once in so many ticks: a deadline ends at most a second late. */
const PARTS = 10;

/**
 * Ends connections that let a deadline pass. One timer serves all of them: a timer per connection would cost more memory
 * than the rest of an idle one. Its clock stands still while the loop is blocked, so nobody is ended for what the node
 * could not read.
 */
export class Deadlines {
  readonly #connections: Connection[] = [];
  #now = 0;
  #at = 0;
  #timer: NodeJS.Timeout | null = null;

  /** Milliseconds that never go back. */
  get now(): number {
    return this.#now;
  }

  get size(): number {
    return this.#connections.length;
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#connections[Symbol.iterator]();
  }

  add(connection: Connection): void {
    connection.slot = this.#connections.push(connection) - 1;
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  remove(connection: Connection): void {
    const last = this.#connections.pop();
    if (last === undefined || last === connection) return;
    last.slot = connection.slot;
    this.#connections[connection.slot] = last;
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    this.#now += TICK_MS;
    const count = Math.ceil(this.#connections.length / PARTS);
    for (let i = 0; i < count; i++) {
      if (this.#at >= this.#connections.length) this.#at = 0;
      this.#connections[this.#at++]?.checkDeadlines();
    }
  }
}
