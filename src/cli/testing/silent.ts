import { Secrets } from '../secrets.js';
import type { Surroundings } from '../surroundings.js';

/** Surroundings in which there is nothing: for programs that are only looked at. No errors. */
export function silent(given: Partial<Surroundings> = {}): Surroundings {
  const sink = { isTerminal: false, write: () => Promise.resolve() };
  return {
    ...{ env: {}, home: '/nonexistent', isInteractive: false, stdout: sink, stderr: sink },
    stdin: (async function* () {})(),
    fetch: () => Promise.reject(new Error('there is no network')),
    signal: new AbortController().signal,
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    execute: () => Promise.reject(new Error('no program was to be started')),
    secrets: new Secrets(),
    prompts: () => Promise.reject(new Error('nobody is there')),
    ...given,
  };
}
