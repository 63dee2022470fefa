import { randomBytes } from 'node:crypto';

/** Ids that are unique among the writes of all nodes: a random prefix per process, and a counter. */
export class WriteIds {
  readonly #prefix = randomBytes(9).toString('base64url');
  #last = 0;

  /** A new id. No errors. */
  next(): string {
    return `${this.#prefix}.${(++this.#last).toString(36)}`;
  }
}
