import { Command, InvalidArgumentError } from 'commander';
import { auditCommand } from './commands/audit.js';
import { caCommand } from './commands/ca.js';
import { clientCommand } from './commands/client.js';
import { completionCommand } from './commands/completion.js';
import { contextCommand } from './commands/context.js';
import { deviceCommand } from './commands/device.js';
import { doctorCommand } from './commands/doctor.js';
import { loginCommands } from './commands/login.js';
import { opsCommand } from './commands/ops.js';
import { policyCommand } from './commands/policy.js';
import { serviceCommands } from './commands/service.js';
import { shadowCommands } from './commands/shadow.js';
import { tenantCommand } from './commands/tenant.js';
import { streamCommands } from './commands/watch.js';
import type { Surroundings } from './surroundings.js';

/** Longest `--timeout`, in seconds. */
const MAX_TIMEOUT = 86_400;

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= MAX_TIMEOUT))
    throw new InvalidArgumentError(`Use seconds, from 0.001 to ${MAX_TIMEOUT}.`);
  return Math.max(value, 0.001);
}

/** In the order of the help. */
const ADDERS = [
  ...[shadowCommands, streamCommands, loginCommands, contextCommand, doctorCommand],
  ...[tenantCommand, clientCommand, deviceCommand, caCommand],
  ...[policyCommand, auditCommand],
  ...[serviceCommands, opsCommand],
  completionCommand,
];

/** All commands. Nothing is carried out before it is given arguments. No errors. */
export function programOf(around: Surroundings): Command {
  const program = new Command('umbra')
    .description('Reads, changes and follows the shadows of an Umbra service, and looks after it.')
    .option('--context <name>', 'use this context instead of the current one')
    .option('--server <url>', 'talk to this server, with nothing of a context')
    .option('--key-file <file>', 'take the key or access token from a file; - is stdin')
    .option('--timeout <seconds>', 'end a call after this time; 30 by default', seconds)
    .option('--json', 'print JSON, one object a line')
    .option('--yes', 'answer all questions with yes')
    .option('--no-color', 'print without colours')
    .helpOption('-h, --help', 'show the help of a command')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void around.stdout.write(text),
      writeErr: (text) => void around.stderr.write(text),
      // run() says it, as JSON if that is wanted.
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  for (const add of ADDERS) add(program, around);
  return program;
}
