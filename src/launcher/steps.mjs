import { spawnSync } from 'node:child_process';

/** An error that ends the program with a text for the user and without a stack. */
export class Stop extends Error {}

/** Runs `work` and prints its title and duration on one line. */
export function step(title, work) {
  const start = performance.now();
  process.stderr.write(`umbra: ${title} …`);
  try {
    work();
  } catch (error) {
    process.stderr.write(' failed\n');
    throw error;
  }
  process.stderr.write(` ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
}

/** Runs a program to its end, silently. Throws Stop with the output when the program fails. */
export function run(program, args, options = {}) {
  const ignore = () => undefined;
  // With a handler, Ctrl-C ends only the child, which is in the same process group, and the caller can clean up.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, ignore);
  try {
    const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    if (status === 0) return;
    const why = error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`);
    throw new Stop(`\`${[program, ...args].join(' ')}\` failed (${why}):\n${ends(`${stdout ?? ''}${stderr ?? ''}`)}`);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM']) process.removeListener(signal, ignore);
  }
}

/** Keeps both ends of an output, because some programs print the error first and others last. */
function ends(text) {
  const lines = text.trim().split('\n');
  return (lines.length <= 60 ? lines : [...lines.slice(0, 20), '…', ...lines.slice(-40)]).join('\n');
}

/** Ends the process with the text of a Stop. Any other error is a bug and is printed with its stack. */
export function stopWith(error) {
  process.stderr.write(`${error instanceof Stop ? error.message : (error?.stack ?? error)}\n`);
  process.exit(1);
}
