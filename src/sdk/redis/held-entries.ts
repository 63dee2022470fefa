import { clientError } from '../umbra-error.js';
import type { RawEntry } from './entry.js';

/** An entry that this consumer has got and not finished. */
export class HeldEntry {
  readonly #control = new AbortController();

  constructor(
    readonly raw: RawEntry,
    /** Times that it was delivered or begun, by any consumer. */
    public tries: number,
    /** It may have ended the consumer that had it. */
    readonly isSuspect: boolean,
    /** Milliseconds of the monotonic clock: until then, nobody else takes it. */
    public ownUntil: number,
  ) {}

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** Ends the work on it. */
  lose(why: string): void {
    this.#control.abort(clientError('aborted', `the work on ${this.raw.entry} does not count: ${why}`));
  }
}

/** What one consumer holds, so that it is bounded. */
export class HeldEntries {
  readonly #held = new Map<string, HeldEntry>();
  #waiting: (() => void)[] = [];
  #isEnding = false;

  constructor(private readonly limit: number) {}

  get all(): readonly HeldEntry[] {
    return [...this.#held.values()];
  }

  get room(): number {
    return this.limit - this.#held.size;
  }

  has(entry: string): boolean {
    return this.#held.has(entry);
  }

  add(held: HeldEntry): void {
    this.#held.set(held.raw.entry, held);
  }

  remove({ raw }: HeldEntry): void {
    this.#held.delete(raw.entry);
    if (this.#hasSpace) this.#wake();
  }

  /** Until half of it is free, so that few requests bring many entries; or the end. */
  async space(): Promise<void> {
    if (!this.#hasSpace && !this.#isEnding) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Nobody waits any more. */
  end(): void {
    this.#isEnding = true;
    this.#wake();
  }

  get #hasSpace(): boolean {
    return this.#held.size <= this.limit / 2;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
