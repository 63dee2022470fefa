import { pauseAfter } from '../back-off.js';
import type { Clock } from '../platform.js';
import { clientError, UmbraError } from '../umbra-error.js';
import { link, pause } from '../within.js';

export interface HealthParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** Milliseconds without an answer after which it is given up. */
  readonly outageMs: number;
  /** Milliseconds: no pause is longer. */
  readonly longestMs: number;
  readonly onTrouble: (error: UmbraError | null) => void;
}

const FIRST_PAUSE_MS = 100;

/** Whether Redis answers, over all connections of a consumer: what fails is tried again, until the outage is too long. */
export class RedisHealth {
  #answeredAt: number;
  #isTroubled = false;

  constructor(private readonly parts: HealthParts) {
    this.#answeredAt = parts.clock.monotonic();
  }

  /**
   * Runs a task until it succeeds or the signal aborts.
   * @throws UmbraError aborted; unreachable after the outage; an error that no repetition mends
   */
  async persist<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let failures = 1; ; failures += 1) {
      try {
        const result = await task();
        this.answered();
        return result;
      } catch (error) {
        await this.failed(error, failures, [signal]);
      }
    }
  }

  answered(): void {
    this.#answeredAt = this.parts.clock.monotonic();
    if (this.#isTroubled) this.parts.onTrouble(null);
    this.#isTroubled = false;
  }

  /**
   * Waits before the next attempt.
   * @param failures in a row, from 1
   * @throws UmbraError aborted; unreachable after the outage; `error` if no repetition mends it
   */
  async failed(error: unknown, failures: number, signals: readonly AbortSignal[]): Promise<void> {
    const { clock, random, outageMs, longestMs, onTrouble } = this.parts;
    if (!(error instanceof UmbraError) || !error.retryable) throw error;
    const ms = pauseAfter(failures, { firstMs: Math.min(FIRST_PAUSE_MS, longestMs), longestMs }, random());
    if (clock.monotonic() + ms - this.#answeredAt > outageMs)
      throw clientError('unreachable', `Redis was not reached for ${outageMs} ms: ${error.message}`, {
        ...{ retryable: true, cause: error },
      });
    if (!this.#isTroubled) onTrouble(error);
    this.#isTroubled = true;
    const control = new AbortController();
    const unlink = link(signals, control, 'the consumer');
    await pause(clock, ms, control.signal, 'the consumer').finally(unlink);
  }
}
