import { InvalidArgumentError, Option, type Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { duration, positive } from './options.js';

/** A time before now in seconds, or epoch milliseconds. */
export type Since = { readonly ago: number } | { readonly at: number };

/** Adds `audit`. No errors. */
export function auditCommand(program: Command, around: Surroundings): void {
  const audit = program.command('audit').description('Shows what was done and what was refused.').helpCommand(false);
  audit
    .command('tail')
    .description(
      'Prints what is done and refused on the node that answers, until Ctrl-C. What may be missing is told on stderr.',
    )
    .option('--since <time>', 'begin there: a time such as 2026-11-28T07:00:00Z, or 30m, 2h; now by default', since)
    .option('--no-follow', 'end after what is there already: all that the node has, without --since')
    .option('--actor <principal>', 'only what this principal did')
    .option('--action <action>', 'only this, such as policy:update or mqtt:connect')
    .option('--target <begin>', 'only what was done to what begins with this, such as /v1/policies/')
    .addOption(new Option('--outcome <outcome>', 'only what ended so').choices(['done', 'refused', 'failed']))
    .option('--count <number>', 'end after so many events', positive)
    .action(
      action(
        around,
        later(async () => (await import('../admin/audit-tail.js')).tail),
      ),
    );
}

function since(text: string): Since {
  if (/^\d+[smhd]$/.test(text)) return { ago: duration(text) };
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(at)) throw new InvalidArgumentError('Use a time such as 2026-11-28T07:00:00Z, or 30s, 30m, 2h, 1d.');
  return { at };
}
