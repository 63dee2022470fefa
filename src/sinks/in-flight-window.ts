import { Fifo } from '../resilience/fifo.js';
import { Signal } from '../resilience/signal.js';
import { sameHistory, type Position } from '../store/position.js';

interface Entry {
  position: Position;
  open: number;
  /** When the first change of it was committed, in epoch milliseconds; 0: not known. */
  at: number;
  /** Whether everything at this position has been added. */
  whole: boolean;
}

/**
 * The changes that a sink was given and that are not safe there yet, in the order of the feed; bounded. Everything up to
 * `done` is safe, so `done` may be saved as the cursor.
 */
export class InFlightWindow {
  readonly #entries = new Fifo<Entry>();
  #open = 0;
  #bytes = 0;
  #done: Position;
  readonly #changed = new Signal();

  /**
   * @param limit changes
   * @param signal ends all waiting
   * @param limitBytes of their records together; the last one may go beyond it
   */
  constructor(
    start: Position,
    private readonly limit: number,
    private readonly signal: AbortSignal,
    private readonly limitBytes = Infinity,
  ) {
    this.#done = start;
  }

  get done(): Position {
    return this.#done;
  }

  /** Places in the feed that are remembered: at most twice the limit, and one. */
  get size(): number {
    return this.#entries.size;
  }

  /** Changes that are not safe yet. */
  get open(): number {
    return this.#open;
  }

  /** When the oldest change that is not safe yet was committed, in epoch milliseconds; null: everything is safe. */
  get oldestAt(): number | null {
    return this.#open > 0 ? (this.#entries.peek()?.at ?? null) : null;
  }

  /**
   * @param work must not reject
   * @param at when the change was committed, in epoch milliseconds
   * @param bytes of its record
   */
  add(position: Position, work: Promise<void>, at = 0, bytes = 0): void {
    let entry = this.#entries.last();
    if (!entry || entry.whole) {
      if (this.#entries.size >= 2 * this.limit) this.#compact();
      this.#entries.push((entry = { position, open: 0, at, whole: false }));
    }
    entry.open++;
    this.#open++;
    this.#bytes += bytes;
    const mine = entry;
    void work.then(() => {
      mine.open--;
      this.#open--;
      this.#bytes -= bytes;
      this.#advance();
      this.#changed.notify();
    });
  }

  /** Everything up to `position` has been added. */
  whole(position: Position): void {
    const last = this.#entries.last();
    // Nothing was added since: moving the last entry keeps a stuck sink from gathering entries without end.
    if (last && (!last.whole || last.open === 0)) Object.assign(last, { position, whole: true });
    else this.#entries.push({ position, open: 0, at: 0, whole: true });
    this.#advance();
  }

  /** Resolves when one more may be added, or at the end. */
  async room(): Promise<void> {
    const hasRoom = (): boolean => this.#open < this.limit && this.#bytes < this.limitBytes;
    await this.#changed.until(hasRoom, { signal: this.signal });
  }

  /**
   * Resolves when nothing is in flight, after `limitMs`, or with `whileOpen` also at the end.
   * @returns whether nothing is in flight
   */
  async settled(limitMs: number, whileOpen = false): Promise<boolean> {
    await this.#changed.until(() => this.#open === 0, { limitMs, ...(whileOpen ? { signal: this.signal } : {}) });
    return this.#open === 0;
  }

  /** Resolves when everything up to `revision` is safe, after `limitMs`, or at the end. */
  async reached(revision: number, limitMs: number): Promise<void> {
    await this.#changed.until(() => this.#done.revision >= revision, { limitMs, signal: this.signal });
  }

  /** Behind one change that is stuck, those that are done must not gather without end: only what is open counts. */
  #compact(): void {
    const open = [...this.#entries].filter((entry) => entry.open > 0);
    this.#entries.clear();
    for (const entry of open) this.#entries.push(entry);
  }

  #advance(): void {
    for (let entry = this.#entries.peek(); entry?.whole && entry.open === 0; entry = this.#entries.peek()) {
      const { position } = entry;
      if (!sameHistory(position, this.#done) || position.revision > this.#done.revision) this.#done = position;
      this.#entries.take();
      this.#changed.notify();
    }
  }
}
