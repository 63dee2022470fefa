import { spawnSync } from 'node:child_process';

/** Ends the program with a text for the person in front of it, and no stack. */
export class Stop extends Error {}

/** Runs `work` and says how long it took, on one line. */
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

/** Runs a program to its end, silently; what it wrote is shown when it fails. Throws Stop then. */
export function run(program, args, options = {}) {
  const ignore = () => undefined;
  // With a handler, Ctrl-C ends the child (it is in our group) and we go on to clean up, instead of ending here.
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

/** Some programs say what is wrong first, others last. */
function ends(text) {
  const lines = text.trim().split('\n');
  return (lines.length <= 60 ? lines : [...lines.slice(0, 20), '…', ...lines.slice(-40)]).join('\n');
}

/** Ends the process with the text of a Stop; anything else is a fault of ours and keeps its stack. */
export function stopWith(error) {
  process.stderr.write(`${error instanceof Stop ? error.message : (error?.stack ?? error)}\n`);
  process.exit(1);
}
