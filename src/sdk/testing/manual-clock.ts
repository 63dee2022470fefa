import type { Clock } from '../platform.js';

interface Timer {
  readonly at: number;
  readonly task: () => void;
}

/** A clock that stands until it is told otherwise; its timers run when it passes them. */
export class ManualClock implements Clock {
  #monotonic = 0;
  #timers = new Set<Timer>();

  /** @param time epoch milliseconds */
  constructor(private time = 1_700_000_000_000) {}

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, task: () => void): () => void {
    const timer = { at: this.#monotonic + Math.max(ms, 0), task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not run and were not cancelled. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; null: there is none. */
  get next(): number | null {
    const times = [...this.#timers].map(({ at }) => at);
    return times.length === 0 ? null : Math.min(...times) - this.#monotonic;
  }

  /** Moves on by `ms` milliseconds. After each timer that it passes, what waits for promises gets its turn. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settled();
    for (let wait = this.next; wait !== null && this.#monotonic + wait <= end; wait = this.next) {
      this.#move(Math.max(wait, 0));
      for (const timer of [...this.#timers]) {
        if (timer.at > this.#monotonic || !this.#timers.delete(timer)) continue;
        timer.task();
      }
      await settled();
    }
    this.#move(end - this.#monotonic);
  }

  /** Moves the wall clock alone, either way, as an operator or NTP does. */
  jump(ms: number): void {
    this.time += ms;
  }

  #move(ms: number): void {
    this.#monotonic += ms;
    this.time += ms;
  }
}

/** Turns of promises that a step of the library takes at most before it waits for a timer or an answer. */
const TURNS = 200;

async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
}
