import { homedir } from 'node:os';
import { addAbortSignal } from 'node:stream';
import { EXIT } from './exit-code.js';
import { run } from './run.js';
import { Secrets } from './secrets.js';
import type { Sink } from './surroundings.js';

/** Milliseconds in which a command that is interrupted comes to its end: it takes away what it has begun. */
const LONGEST_END_MS = 5_000;

const interruption = new AbortController();

function interrupt(): void {
  if (interruption.signal.aborted) return;
  interruption.abort();
  setTimeout(() => process.exit(EXIT.interrupted), LONGEST_END_MS).unref();
}

process.on('SIGINT', () => {
  // The second time it is meant: something does not end.
  if (interruption.signal.aborted) process.exit(EXIT.interrupted);
  interrupt();
});
// Terminals and `timeout` may send these more than once.
for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);

/** A reader that has gone away, such as `head`, changes nothing: the command does what it was told, and says how it ended. */
function sinkOf(stream: NodeJS.WriteStream): Sink {
  let isGone = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(EXIT.failed);
    isGone = true;
  });
  return {
    isTerminal: stream.isTTY === true,
    isGone: () => isGone,
    write: (text) =>
      new Promise((resolve, reject) => {
        if (isGone) return resolve();
        stream.write(text, (error: NodeJS.ErrnoException | null | undefined) =>
          error && error.code !== 'EPIPE' ? reject(error) : resolve(),
        );
      }),
  };
}

/** It ends with the command: whoever is to write it may never do so. */
async function* stdin(): AsyncGenerator<string | Uint8Array, void, undefined> {
  yield* addAbortSignal(interruption.signal, process.stdin) as AsyncIterable<string | Uint8Array>;
}

function pause(ms: number): Promise<void> {
  const { signal } = interruption;
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, signal.aborted ? 0 : ms);
    signal.addEventListener('abort', end);
  });
}

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  home: homedir(),
  stdin: stdin(),
  isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
  stdout: sinkOf(process.stdout),
  stderr: sinkOf(process.stderr),
  fetch: (url, init) => fetch(url, init),
  signal: interruption.signal,
  pause,
  clock: { now: () => Date.now(), monotonic: () => performance.now() },
  execute: async (program, args, limitMs) =>
    (await import('./execute.js')).execute(program, args, { limitMs, env: process.env, signal: interruption.signal }),
  secrets: new Secrets(),
  prompts: async () => (await import('./prompts.js')).promptsUntil(interruption.signal),
});
