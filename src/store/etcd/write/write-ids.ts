import { randomBytes } from 'node:crypto';

/** Ids of writes that no other write of any node has: a prefix drawn at start, and a counter. */
export class WriteIds {
  readonly #prefix = randomBytes(9).toString('base64url');
  #last = 0;

  /** An id that was never given out before. */
  next(): string {
    return `${this.#prefix}.${(++this.#last).toString(36)}`;
  }
}
