/** The only source of time for everything that keeps or compares it; tests swap it. */
export interface Clock {
  /** Epoch milliseconds, for what people and devices read. The wall clock may jump either way: never wait by it. */
  now(): number;
  /** Milliseconds from a fixed, unknown start. Never goes back: deadlines, leases, stalls and expiry use it. */
  monotonic(): number;
}

export const SYSTEM_CLOCK: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** Injection token of the Clock. */
export const CLOCK = Symbol('Clock');
