import { sameHistory, type Position } from '../store/position.js';

interface Entry {
  position: Position;
  open: number;
  /** Everything of this position has been added. */
  whole: boolean;
}

/** Consumed entries that are tolerated at the front of the array. */
const SLACK = 1024;

/**
 * What has been handed to a sink and is not safe there yet, in the order of the feed; bounded. `done` is the position up
 * to which everything is safe, and so the cursor that may be kept.
 */
export class InFlightWindow {
  #entries: Entry[] = [];
  #first = 0;
  #open = 0;
  #done: Position;
  #waiting: (() => void)[] = [];

  /** @param signal ends all waiting */
  constructor(
    start: Position,
    private readonly limit: number,
    private readonly signal: AbortSignal,
  ) {
    this.#done = start;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
  }

  get done(): Position {
    return this.#done;
  }

  /** @param work must not reject */
  add(position: Position, work: Promise<void>): void {
    let entry = this.#last();
    if (!entry || entry.whole) this.#entries.push((entry = { position, open: 0, whole: false }));
    entry.open++;
    this.#open++;
    const at = entry;
    void work.then(() => {
      at.open--;
      this.#open--;
      this.#advance();
      this.#wake();
    });
  }

  /** Everything up to `position` has been added. */
  whole(position: Position): void {
    const last = this.#last();
    // Nothing for us since: no entry of its own, or a sink that is stuck would gather them without end.
    if (last && (!last.whole || last.open === 0)) Object.assign(last, { position, whole: true });
    else this.#entries.push({ position, open: 0, whole: true });
    this.#advance();
  }

  /** Resolves when one more may be added, or at the end. */
  async room(): Promise<void> {
    while (this.#open >= this.limit && !this.signal.aborted) await this.#change();
  }

  /**
   * Resolves when nothing is in flight, after `limitMs`, or with `whileOpen` also at the end.
   * @returns whether nothing is in flight
   */
  async settled(limitMs: number, whileOpen = false): Promise<boolean> {
    await this.#until(() => this.#open === 0 || (whileOpen && this.signal.aborted), limitMs);
    return this.#open === 0;
  }

  /** Resolves when everything up to `revision` is safe, after `limitMs`, or at the end. */
  async reached(revision: number, limitMs: number): Promise<void> {
    await this.#until(() => this.#done.revision >= revision || this.signal.aborted, limitMs);
  }

  /** The timer says itself that it has fired: it may do so a moment before a clock would say that it is due. */
  async #until(isOver: () => boolean, limitMs: number): Promise<void> {
    let isLate = false;
    const end = (): void => {
      isLate = true;
      this.#wake();
    };
    const timer = setTimeout(end, limitMs).unref();
    while (!isLate && !isOver()) await this.#change();
    clearTimeout(timer);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #last(): Entry | undefined {
    return this.#entries.length > this.#first ? this.#entries.at(-1) : undefined;
  }

  #advance(): void {
    for (let entry = this.#entries[this.#first]; entry?.whole && entry.open === 0; entry = this.#entries[this.#first]) {
      const { position } = entry;
      if (!sameHistory(position, this.#done) || position.revision > this.#done.revision) this.#done = position;
      this.#first++;
      this.#wake();
    }
    if (this.#first < SLACK && this.#first < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}
