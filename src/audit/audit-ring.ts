import type { AuditEvent } from '../access/audit.js';

/** An event as it is kept. */
export interface AuditEntry extends AuditEvent {
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

  *after(sequence: number): IterableIterator<AuditEntry> {
    const { length } = this.#slots;
    for (let n = 0; n < length; n++) {
      const entry = this.#slots[(this.#first + n) % length];
      if (entry !== undefined && entry.sequence > sequence) yield entry;
    }
  }
}
