import type { Clock } from '../../src/resilience/clock.js';

/** A clock that stands until it is told otherwise. */
export class SettableClock implements Clock {
  /** @param time epoch milliseconds */
  constructor(private time = 1_700_000_000_000) {}

  now(): number {
    return this.time;
  }

  set(time: number): void {
    this.time = time;
  }

  /** Moves on by `ms` milliseconds. */
  advance(ms: number): void {
    this.time += ms;
  }
}
