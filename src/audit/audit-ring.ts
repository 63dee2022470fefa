import type { AuditEvent } from '../access/audit.js';

/** An event as it is kept. */
export interface AuditEntry extends Omit<AuditEvent, 'isRoutine'> {
  /** Rises by one with each entry of the node. */
  readonly sequence: number;
  /** Epoch milliseconds. */
  readonly timeMs: number;
  /** How often it happened since the entry of its kind before. */
  readonly count: number;
}

/** The latest entries, the oldest first; what is older is forgotten. */
export class AuditRing {
  readonly #slots: AuditEntry[] = [];
  /** Slot of the oldest entry. */
  #first = 0;
  /** Sequence of the last entry that was forgotten; 0: none was. */
  #forgotten = 0;

  constructor(private readonly most: number) {}

  get forgotten(): number {
    return this.#forgotten;
  }

  push(entry: AuditEntry): void {
    if (this.#slots.length < this.most) return void this.#slots.push(entry);
    this.#forgotten = this.#slots[this.#first]?.sequence ?? 0;
    this.#slots[this.#first] = entry;
    this.#first = (this.#first + 1) % this.most;
  }

  /** Those after `sequence`, in turn: whoever has enough asks for no more. */
  *after(sequence: number): IterableIterator<AuditEntry> {
    for (let n = this.#indexAfter(sequence); n < this.#slots.length; n++) yield this.#at(n);
  }

  /** How many entries are not after `sequence`. */
  #indexAfter(sequence: number): number {
    let [from, to] = [0, this.#slots.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#at(middle).sequence > sequence) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  /** @param n 0 is the oldest; there must be so many */
  #at(n: number): AuditEntry {
    return this.#slots[(this.#first + n) % this.#slots.length]!;
  }
}
