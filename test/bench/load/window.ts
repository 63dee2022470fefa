import { setTimeout as pause } from 'node:timers/promises';
import { spread } from '../statistics.js';
import type { Sample } from './sample.js';

/** Share of a window that is run before it and does not count: caches, JIT and queues find their pace. */
const WARM = 0.25;

/** Operations of each caller that a window needs: with fewer, where its ends fall among the bursts decides the rate. */
const LEAST_EACH = 3;

/** Times its length that a window waits for them, and as much again to get warm. */
const MOST = 5;

/** Counts what ends within a window. */
export class WindowClock {
  #latencies: number[] = [];
  #ended = 0;
  #counting = false;

  done(startedAt: number): void {
    this.#ended++;
    if (this.#counting) this.#latencies.push(performance.now() - startedAt);
  }

  /**
   * @param seconds of the window; it goes on, within bounds, when that is too short for those who are slow
   * @param callers that have one operation under way each
   */
  async measure(seconds: number, callers = 0): Promise<Sample> {
    this.#ended = 0;
    await this.#last(seconds * WARM, callers, seconds * MOST);
    this.#latencies = [];
    this.#ended = 0;
    this.#counting = true;
    const start = performance.now();
    await this.#last(seconds, callers * LEAST_EACH, seconds * MOST);
    this.#counting = false;
    const elapsed = (performance.now() - start) / 1000;
    const { n, p50, p99 } = spread(this.#latencies);
    return { perSecond: n / elapsed, p50, p99 };
  }

  async #last(seconds: number, operations: number, most: number): Promise<void> {
    const start = performance.now();
    await pause(seconds * 1000);
    while (this.#ended < operations && performance.now() - start < most * 1000) await pause(5);
  }
}
