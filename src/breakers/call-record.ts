import type { Clock } from '../resilience/clock.js';

/** When a dependency counts as failing. */
export const OPENING = {
  /** Milliseconds that the share of failures is taken over. */
  windowMs: 30_000,
  /** Fewer calls in the window have no share. */
  leastCalls: 5,
  /** Of the calls in the window that failed. */
  share: 0.6,
  /** More failures than these one after the other, however far apart. */
  mostInARow: 3,
} as const;

/** Milliseconds that one slot of the window counts together. */
const SLOT_MS = 1_000;
const SLOTS = OPENING.windowMs / SLOT_MS;

interface Slot {
  /** Slots since the start of the clock. */
  at: number;
  calls: number;
  failures: number;
}

/** How the last calls of one dependency ended. */
export class CallRecord {
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, () => ({ at: -Infinity, calls: 0, failures: 0 }));
  #inARow = 0;

  constructor(private readonly clock: Clock) {}

  /** Failures since the last success. */
  get inARow(): number {
    return this.#inARow;
  }

  /** No errors. */
  succeeded(): void {
    this.#inARow = 0;
    this.#slot().calls++;
  }

  /** @returns whether the dependency counts as failing now */
  failed(): boolean {
    this.#inARow++;
    const slot = this.#slot();
    slot.calls++;
    slot.failures++;
    return this.#inARow > OPENING.mostInARow || this.#isMostlyFailing();
  }

  /** Forgets everything. */
  clear(): void {
    this.#inARow = 0;
    for (const slot of this.#slots) slot.at = -Infinity;
  }

  #isMostlyFailing(): boolean {
    const oldest = this.#now() - SLOTS;
    let [calls, failures] = [0, 0];
    for (const slot of this.#slots) {
      if (slot.at <= oldest) continue;
      calls += slot.calls;
      failures += slot.failures;
    }
    return calls >= OPENING.leastCalls && failures / calls >= OPENING.share;
  }

  #slot(): Slot {
    const at = this.#now();
    const slot = this.#slots[at % SLOTS]!;
    if (slot.at !== at) Object.assign(slot, { at, calls: 0, failures: 0 });
    return slot;
  }

  #now(): number {
    return Math.floor(this.clock.monotonic() / SLOT_MS);
  }
}
