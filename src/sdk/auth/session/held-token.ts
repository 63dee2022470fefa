import type { Clock } from '../../platform.js';
import type { Grant } from './token-source.js';

/** Milliseconds before the end of a token at which it is renewed, at most; of a short one it is a fifth of its life. */
const LONGEST_MARGIN_MS = 300_000;

/** The part of the token policy of the service that clients follow. */
export interface TokenRules {
  /** Seconds that the service still accepts a token after its end. */
  readonly gracePeriod: number;
  /** Whether tokens are renewed after half of their life. */
  readonly forceRotate: boolean;
}

/** An access token and its age, by two clocks: one stands while the machine sleeps, and the other may be set. */
export class HeldToken {
  readonly text: string;
  readonly lifetimeMs: number;
  readonly #clock: Clock;
  readonly #gotAt: number;
  readonly #gotWall: number;

  /** @param ageMs that it has already */
  constructor({ token, lifetimeMs }: Grant, clock: Clock, ageMs = 0) {
    this.text = token;
    this.lifetimeMs = lifetimeMs ?? Infinity;
    this.#clock = clock;
    this.#gotAt = clock.monotonic() - ageMs;
    this.#gotWall = clock.now() - ageMs;
  }

  /** Milliseconds until it should be renewed; by the clock that says so first. */
  dueMs({ forceRotate }: TokenRules): number {
    const { lifetimeMs } = this;
    const margin = forceRotate ? lifetimeMs / 2 : Math.min(LONGEST_MARGIN_MS, lifetimeMs / 5);
    return lifetimeMs === Infinity ? Infinity : lifetimeMs - margin - Math.max(...this.#ages());
  }

  /** Whether it has ended, by either clock. */
  get isOver(): boolean {
    return Math.max(...this.#ages()) >= this.lifetimeMs;
  }

  /** Whether the service may still accept it, by either clock. */
  mayCount({ gracePeriod }: TokenRules): boolean {
    return Math.min(...this.#ages()) < this.lifetimeMs + gracePeriod * 1_000;
  }

  #ages(): [number, number] {
    return [this.#clock.monotonic() - this.#gotAt, this.#clock.now() - this.#gotWall];
  }
}
