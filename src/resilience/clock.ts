/** The only source of time for everything that keeps or compares it; tests swap it. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
}

export const SYSTEM_CLOCK: Clock = { now: () => Date.now() };

/** Injection token of the Clock. */
export const CLOCK = Symbol('Clock');
