import type { Connection } from './connection.js';

/**
 * What a connection is sent within two turns of the loop leaves in one write: system calls are the largest part of the
 * node's time at saturation. An update's PUBACK and `accepted` are due shortly after each other: the answer of etcd, then
 * the event of its watch, mostly a turn later. A turn of an idle node is microseconds, so waiting for it delays nothing.
 */
export class Flusher {
  #connections: Connection[] = [];
  #spare: Connection[] = [];
  #round = 0;

  /** Counts the flushes; between two of them every socket could take something. */
  get round(): number {
    return this.#round;
  }

  add(connection: Connection): void {
    if (this.#connections.push(connection) === 1) setImmediate(this.#wait);
  }

  readonly #wait = (): void => {
    setImmediate(this.#flush);
  };

  readonly #flush = (): void => {
    const connections = this.#connections;
    this.#connections = this.#spare;
    this.#round++;
    for (const connection of connections) connection.flush();
    connections.length = 0;
    this.#spare = connections;
  };
}
