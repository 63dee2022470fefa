import type { Stored } from '../store/presence-record.js';

export interface Placed extends Stored {
  /** Rises with every client that comes to be known, and stays while the client does: the order of the map. */
  readonly place: number;
}

/**
 * The way of one reader through the clients of a tenant, in the order in which they came to be known. It goes on while they
 * change. After everything was read anew it goes over those that were known before.
 */
export class PresenceWalk {
  #place = 0;

  /** @param records a client that changes keeps its place in it, a new one comes at the end */
  constructor(private readonly records: ReadonlyMap<string, Placed>) {}

  /** Keys of the clients; to be called once. No errors. */
  *keys(): IterableIterator<string> {
    for (const [key, { place }] of this.records) {
      this.#place = place;
      yield key;
    }
    this.#place = Infinity;
  }

  /** Whether keys() is still to give this client. No errors. */
  isToCome(key: string): boolean {
    return (this.records.get(key)?.place ?? 0) > this.#place;
  }
}
