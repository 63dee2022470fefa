import type { Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';

/** Adds `doctor`. No errors. */
export function doctorCommand(program: Command, around: Surroundings): void {
  program
    .command('doctor')
    .description(
      'Checks the context, the server, the clock and the credential. Its exit code is that of the first failure.',
    )
    .action(
      action(
        around,
        later(async () => (await import('../admin/doctor.js')).doctor),
      ),
    );
}
