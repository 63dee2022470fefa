import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds that no condition takes, whatever else the machine does: a test that fails may take its time. */
const TIMEOUT_MS = 60_000;
/** Milliseconds between two looks. */
const LOOK_MS = 5;

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
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, false | null | undefined>;
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    }
    await pause(LOOK_MS);
  }
}
