import type { Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { listOption, pairsOption, wholeNumber } from './options.js';

/** Adds `tenant` with its subcommands. No errors. */
export function tenantCommand(program: Command, around: Surroundings): void {
  const tenant = program.command('tenant').description('Administers tenants, which share nothing.').helpCommand(false);
  const load = () => import('../admin/tenants.js');
  tenant
    .command('list')
    .description('Lists the tenants.')
    .action(
      action(
        around,
        later(async () => (await load()).list),
      ),
    );
  tenant
    .command('show')
    .description('Shows a tenant.')
    .argument('<name>')
    .action(
      action(
        around,
        later(async () => (await load()).show),
      ),
    );
  withMembers(tenant.command('create').description('Creates a tenant.').argument('<name>')).action(
    action(
      around,
      later(async () => (await load()).create),
    ),
  );
  withMembers(
    tenant
      .command('update')
      .description('Changes a tenant: what is not given stays as it is.')
      .argument('<name>')
      .option('--disable', 'nobody of it may do anything')
      .option('--enable', 'take that back'),
    'none is attached any more',
  ).action(
    action(
      around,
      later(async () => (await load()).update),
    ),
  );
  tenant
    .command('delete')
    .description('Deletes a tenant that has nobody and no shadow any more.')
    .argument('<name>')
    .action(
      action(
        around,
        later(async () => (await load()).remove),
      ),
    );
}

function withMembers(command: Command, none?: string): Command {
  command.option('--title <title>', 'what people call it');
  command.option('--account <account>', 'the AWS account that ARNs in its policies must name');
  listOption(command, 'policy', 'a policy that all of its principals have', none);
  pairsOption(command, 'limit', 'a limit, such as requestsPerSecond=100; 0 is none', wholeNumber);
  return command;
}
