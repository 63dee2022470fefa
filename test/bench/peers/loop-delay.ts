import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Logger } from '../../../src/telemetry/logger.js';

/** Milliseconds between two looks at the loop. */
const RESOLUTION_MS = 1;

/** Each SIGUSR2 logs how long the event loop was held up since the last one, and begins anew. */
export function tellLoopDelayOnSignal(logger: Logger): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  process.on('SIGUSR2', () => {
    const [longest, p99] = [delay.max, delay.percentile(99)].map((nanos) => nanos / 1e6);
    delay.reset();
    logger.info({ longest, p99 }, 'loop delay');
  });
}
