import { CommanderError } from 'commander';
import { CliError, EXIT, exitCodeOf, isUmbraError, usage, type ExitCode } from './exit-code.js';
import { printable } from './printable.js';
import { programOf } from './program.js';
import { hasSecret } from './secrets.js';
import type { Surroundings } from './surroundings.js';

/** Carries out one command line. Returns the exit code. Never rejects. */
export async function run(args: readonly string[], around: Surroundings): Promise<ExitCode> {
  try {
    if (args.some(hasSecret))
      throw usage('a key must not be an argument, which other users can see: give --key-file FILE, or - for stdin');
    await programOf(around).parseAsync(args, { from: 'user' });
    return around.signal.aborted ? EXIT.interrupted : EXIT.done;
  } catch (error) {
    return failed(error, args, around);
  }
}

async function failed(error: unknown, args: readonly string[], around: Surroundings): Promise<ExitCode> {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
  // Commander has written the help for a command that lacks its subcommand.
  if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
  const known = error instanceof CommanderError ? usage(error.message.replace(/^error: /, '')) : error;
  const exit = around.signal.aborted ? EXIT.interrupted : exitCodeOf(known);
  const text = args.includes('--json') ? JSON.stringify({ error: detailsOf(known, exit) }) : messageOf(known);
  // Nobody may be there to read it any more.
  await around.stderr.write(`${printable(around.secrets.masked(text))}\n`).catch(() => undefined);
  return exit;
}

function detailsOf(error: unknown, exit: ExitCode): object {
  if (isUmbraError(error)) return { ...error.toJSON(), exit };
  const { message } = error as Error;
  return { code: error instanceof CliError && exit === EXIT.usage ? 'usage' : 'failed', message, exit };
}

function messageOf(error: unknown): string {
  if (!isUmbraError(error)) return `umbra: ${error instanceof Error ? error.message : String(error)}`;
  const { message, outcome, requestId, authCode } = error;
  const lines = [`umbra: ${message}${authCode === null ? '' : ` (${authCode})`}`];
  if (outcome === 'unknown') lines.push('The outcome is unknown: it may have been carried out.');
  if (requestId !== null) lines.push(`Request id: ${requestId}`);
  return lines.join('\n');
}
