import type { Clock } from '../../src/resilience/clock.js';

/** A clock that stands until it is told otherwise. */
export class SettableClock implements Clock {
  // Real deadlines of a test are of performance.now().
  #monotonic = Math.floor(performance.now());

  /** @param time epoch milliseconds */
  constructor(private time = 1_700_000_000_000) {}

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Goes on to `time`; time that has passed has passed on both clocks. */
  set(time: number): void {
    this.#monotonic += Math.max(0, time - this.time);
    this.time = time;
  }

  /** Moves on by `ms` milliseconds. */
  advance(ms: number): void {
    this.time += ms;
    this.#monotonic += ms;
  }

  /** Moves the wall clock alone, either way, as an operator or NTP does. */
  jump(ms: number): void {
    this.time += ms;
  }
}
