import { nextTick, Pace } from '../../../resilience/evenly.js';
import type { Connection } from './connection.js';

export interface EvenEndOptions {
  readonly end: (connection: Connection) => void;
  /** Milliseconds over which the connections end, at an even rate. */
  readonly withinMs: number;
  /** Milliseconds of performance.now() after which none is waited for. */
  readonly deadline: number;
  /** Revision of the last commit that came through this door. */
  readonly committed: () => number;
  /** Every commit up to this revision is published in full. */
  readonly published: () => number;
}

/** A connection whose turn to end has come. */
interface Leaving {
  readonly connection: Connection;
  /** The last commit when its requests had been answered; null: they have not. */
  committed: number | null;
}

/**
 * Ends connections at an even rate. One whose turn has come is not read any more; it ends when its requests are answered
 * and their changes published. The others are served meanwhile.
 */
export class EvenEnd {
  #leaving: Leaving[] = [];
  #ended = 0;

  /** How many it has ended so far. */
  get ended(): number {
    return this.#ended;
  }

  constructor(private readonly options: EvenEndOptions) {}

  /** Resolves when all have ended, or the deadline has passed; those that still wait are read on then. Never rejects. */
  async end(connections: readonly Connection[]): Promise<void> {
    const { withinMs, deadline } = this.options;
    const pace = new Pace(connections.length, withinMs, performance.now());
    for (let at = 0, spare = 0; ; await nextTick()) {
      const due = pace.due(performance.now());
      at = this.#begin(connections, at, due);
      const allowed = due + spare;
      const ended = this.#endReady(allowed);
      // What could not be used is not saved up: those that wait for the same answer would go all at once.
      spare = Math.min(allowed - ended, Math.max(1, due >> 1));
      const isDone = at >= connections.length && this.#leaving.length === 0;
      if (isDone || performance.now() >= deadline) break;
    }
    for (const { connection } of this.#leaving) connection.hold(false);
  }

  /** The turn of some more has come. One that has gone by itself takes none. @returns where to go on */
  #begin(connections: readonly Connection[], from: number, count: number): number {
    let at = from;
    for (let left = count; left > 0 && at < connections.length; at++) {
      const connection = connections[at]!;
      if (!connection.isOpen) continue;
      this.#leaving.push({ connection, committed: null });
      left--;
    }
    return at;
  }

  /** @returns how many have ended, `most` at most */
  #endReady(most: number): number {
    const before = this.#ended;
    this.#leaving = this.#leaving.filter((each) => !this.#hasGone(each, this.#ended - before < most));
    return this.#ended - before;
  }

  #hasGone(leaving: Leaving, mayEnd: boolean): boolean {
    const { end, committed, published } = this.options;
    const { connection } = leaving;
    if (!connection.isOpen) return true;
    // Each time: the renewal of a token ends with reading on.
    connection.hold(true);
    if (!connection.isIdle) return false;
    leaving.committed ??= committed();
    if (!mayEnd || published() < leaving.committed) return false;
    end(connection);
    this.#ended++;
    return true;
  }
}
