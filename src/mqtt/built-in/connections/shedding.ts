import type { Connection } from './connection.js';
import type { EvenEnd } from './even-end.js';

/** Connections that are being asked to use another node. */
export class Shedding {
  /** How many are to go. */
  readonly connections: number;
  /** Resolves when all have gone, or are waited for no more. Never rejects. */
  readonly done: Promise<void>;
  #isDone = false;

  constructor(
    clients: readonly Connection[],
    private readonly end: Pick<EvenEnd, 'end' | 'ended'>,
  ) {
    this.connections = clients.length;
    this.done = end.end(clients).finally(() => (this.#isDone = true));
  }

  /** How many have gone so far. */
  get closed(): number {
    return this.end.ended;
  }

  get isDone(): boolean {
    return this.#isDone;
  }
}

/** So many of the items at random, so that no tenant and no age of connections has to go first; it may reorder them. */
export function someOf<T>(items: T[], count: number, random = Math.random): T[] {
  const taken = Math.min(count, items.length);
  for (let i = 0; i < taken; i++) {
    const other = i + Math.floor(random() * (items.length - i));
    [items[i], items[other]] = [items[other]!, items[i]!];
  }
  return items.slice(0, taken);
}
