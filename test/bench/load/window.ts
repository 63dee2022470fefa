import { setTimeout as pause } from 'node:timers/promises';
import { spread } from '../report.js';
import type { Sample } from './sample.js';

/** Share of a window that is run before it and does not count: caches, JIT and queues find their pace. */
const WARM = 0.25;

/** Counts what ends within a window. */
export class WindowClock {
  #latencies: number[] = [];
  #counting = false;

  done(startedAt: number): void {
    if (this.#counting) this.#latencies.push(performance.now() - startedAt);
  }

  async measure(seconds: number): Promise<Sample> {
    await pause(seconds * 1000 * WARM);
    this.#latencies = [];
    this.#counting = true;
    const start = performance.now();
    await pause(seconds * 1000);
    this.#counting = false;
    const elapsed = (performance.now() - start) / 1000;
    const { n, p50, p99 } = spread(this.#latencies);
    return { perSecond: n / elapsed, p50, p99 };
  }
}
