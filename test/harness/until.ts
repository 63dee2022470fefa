import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds that no condition takes, whatever else the machine does: a test that fails may take its time. */
const TIMEOUT_MS = 60_000;
/** Milliseconds between the first two looks. */
const FIRST_LOOK_MS = 5;
/** Milliseconds between two looks of a long wait: many a look is a request, which takes time from what is waited for. */
const LATER_LOOK_MS = 50;
/** Until then, a look comes later by this part of the time that has been waited. */
const LATENESS = 0.1;

/**
 * Waits for a condition and returns its first true value.
 * @param what is told when it does not come true
 * @param timeoutMs milliseconds
 */
export async function until<T>(
  what: string | (() => string),
  condition: () => T | Promise<T>,
  timeoutMs = TIMEOUT_MS,
): Promise<Exclude<T, false | null | undefined>> {
  const start = performance.now();
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, false | null | undefined>;
    const waited = performance.now() - start;
    if (waited > timeoutMs) {
      throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await pause(Math.min(Math.max(LATENESS * waited, FIRST_LOOK_MS), LATER_LOOK_MS));
  }
}
