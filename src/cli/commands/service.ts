import type { Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';

/** Adds `token-policy` and `route-list` with their subcommands. No errors. */
export function serviceCommands(program: Command, around: Surroundings): void {
  tokenPolicy(program, around);
  routeList(program, around);
}

function tokenPolicy(program: Command, around: Surroundings): void {
  const policy = program
    .command('token-policy')
    .description('Administers how long tokens live, in all tenants.')
    .helpCommand(false);
  const load = () => import('../admin/token-policy.js');
  policy
    .command('get')
    .description('Shows the rules of tokens in the tenant of the credential, and the file, if there is one.')
    .option('--yaml', 'print the file alone, as it was applied')
    .action(
      action(
        around,
        later(async () => (await load()).get),
      ),
    );
  policy
    .command('apply')
    .description('Puts a file in force, whole or not at all. It is for tokens that are out, too.')
    .argument('<file>', 'YAML; - is stdin')
    .option('--dry-run', 'check the file, say whether it would change something, and change nothing')
    .action(
      action(
        around,
        later(async () => (await load()).apply),
      ),
    );
  policy
    .command('delete')
    .description('Goes back to the defaults.')
    .action(
      action(
        around,
        later(async () => (await load()).remove),
      ),
    );
}

function routeList(program: Command, around: Surroundings): void {
  const lists = program
    .command('route-list')
    .description('Administers which routes each listener lets through, whoever asks.')
    .helpCommand(false);
  const load = () => import('../admin/route-lists.js');
  lists
    .command('list')
    .description('Lists the patterns of all listeners.')
    .action(
      action(
        around,
        later(async () => (await load()).list),
      ),
    );
  lists
    .command('get')
    .description('Prints the lists as a file for `apply` has them.')
    .action(
      action(
        around,
        later(async () => (await load()).get),
      ),
    );
  lists
    .command('apply')
    .description('Replaces the lists of all listeners.')
    .argument('<file>', 'JSON: {"listeners": {"https": {"allow": ["GET /v1/**"], "deny": []}}}; - is stdin')
    .option('--dry-run', 'check the file, show in what it differs, and change nothing')
    .action(
      action(
        around,
        later(async () => (await load()).apply),
      ),
    );
  lists
    .command('delete')
    .description('Lets everything through again.')
    .action(
      action(
        around,
        later(async () => (await load()).remove),
      ),
    );
}
