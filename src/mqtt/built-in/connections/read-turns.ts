import type { Connection } from './connection.js';

/** Packets of one connection that are handled in one turn of the loop, and of all of them; a KiB counts as a packet. */
const PER_CONNECTION = 64;
const PER_TURN = 1024;

/**
 * Divides the turns of the loop among the connections: a flood of tiny packets, or of many connections, waits for its next
 * turn, and whoever sends little waits for at most one turn of all others.
 */
export class ReadTurns {
  #left = PER_TURN;
  #turn = 0;
  #isScheduled = false;
  #waiting: Connection[] = [];

  /** Counts a packet. @returns whether the connection may have another one handled in this turn */
  mayGoOn(connection: Connection, bytes: number): boolean {
    if (connection.turn !== this.#turn) {
      connection.turn = this.#turn;
      connection.packets = 0;
    }
    const packets = 1 + (bytes >> 10);
    connection.packets += packets;
    this.#left -= packets;
    this.#schedule();
    return this.#left > 0 && connection.packets < PER_CONNECTION;
  }

  /** All packets of this turn were handled. */
  get isUsedUp(): boolean {
    return this.#left <= 0;
  }

  /** Has `connection.readOn` called in one of the next turns. */
  wait(connection: Connection): void {
    this.#waiting.push(connection);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#next);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#turn++;
    this.#left = PER_TURN;
    const waiting = this.#waiting;
    if (waiting.length === 0) return;
    this.#waiting = [];
    let at = 0;
    while (at < waiting.length && this.#left > 0) waiting[at++]?.readOn();
    // Those that had to wait come first in the next turn.
    if (at < waiting.length) this.#waiting = [...waiting.slice(at), ...this.#waiting];
    if (this.#waiting.length > 0) this.#schedule();
  };
}
