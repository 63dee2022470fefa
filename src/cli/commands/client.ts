import { Option, type Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { administer, duration, listOption } from './options.js';

const ID = ['<client>', 'its id, which is a principal of the tenant'] as const;

/** Adds `client` with its subcommands. No errors. */
export function clientCommand(program: Command, around: Surroundings): void {
  const client = program
    .command('client')
    .description('Administers who may act: services, people and devices.')
    .helpCommand(false);
  const load = () => import('../admin/principals.js');
  administer(client, 'list', 'Lists the clients.')
    .addOption(kindOption('only those of this kind'))
    .option('--group <group>', 'only the members of this group')
    .action(
      action(
        around,
        later(async () => (await load()).list),
      ),
    );
  administer(client, 'show', 'Shows a client and which keys it has.')
    .argument(...ID)
    .action(
      action(
        around,
        later(async () => (await load()).show),
      ),
    );
  const create = administer(client, 'create', 'Creates a client. It has no key yet.').argument(...ID);
  withMembers(create.addOption(kindOption('what it is').default('service'))).action(
    action(
      around,
      later(async () => (await load()).create),
    ),
  );
  const update = administer(client, 'update', 'Changes a client: what is not given stays as it is.').argument(...ID);
  update.option('--disable', 'it may do nothing, and its connections end').option('--enable', 'take that back');
  withMembers(update, true).action(
    action(
      around,
      later(async () => (await load()).update),
    ),
  );
  administer(client, 'delete', 'Deletes a client with its keys. Its connections end.')
    .argument(...ID)
    .action(
      action(
        around,
        later(async () => (await load()).remove),
      ),
    );
  keyCommand(client, around);
  certificateCommand(client, around);
}

const kindOption = (description: string): Option =>
  new Option('--kind <kind>', description).choices(['service', 'person', 'device']);

function withMembers(command: Command, isChange = false): Command {
  const none = (what: string): string | undefined => (isChange ? `it has no ${what} any more` : undefined);
  listOption(command, 'role', 'a role, such as viewer, operator or service', none('role'));
  listOption(command, 'policy', 'a policy', none('policy'));
  listOption(command, 'group', 'a group that it is a member of', none('group'));
  return command;
}

/** The options of a command that makes a key. No errors. */
export const makesKey = (command: Command): Command =>
  command
    .requiredOption('--out <file>', 'where the key goes; only its owner may read it')
    .option('--force', 'replace the file if it exists')
    .option('--title <title>', 'what people call the key')
    .option('--expires-in <time>', 'it ends after this time, such as 90d; without it never', duration);

function keyCommand(client: Command, around: Surroundings): void {
  const key = client.command('key').description('Administers the keys of a client.').helpCommand(false);
  const load = () => import('../admin/keys.js');
  administer(key, 'list', 'Lists the keys of a client; what they are is told nowhere.')
    .argument(...ID)
    .action(
      action(
        around,
        later(async () => (await load()).list),
      ),
    );
  makesKey(administer(key, 'create', 'Makes a key and puts it into a file.').argument(...ID))
    .addOption(
      new Option('--kind <kind>', 'secret is sent as it is; aws signs, as clients of AWS do')
        .choices(['secret', 'aws'])
        .default('secret'),
    )
    .action(
      action(
        around,
        later(async () => (await load()).create),
      ),
    );
  makesKey(administer(key, 'rotate', 'Makes a key like the old one, puts it into a file, and revokes the old one.'))
    .argument(...ID)
    .argument('[key]', 'id of the old key; not needed if there is one alone')
    .action(
      action(
        around,
        later(async () => (await load()).rotate),
      ),
    );
  administer(key, 'revoke', 'Withdraws a key. Connections that were opened with it end.')
    .argument(...ID)
    .argument('<key>', 'id of the key')
    .action(
      action(
        around,
        later(async () => (await load()).revoke),
      ),
    );
}

function certificateCommand(client: Command, around: Surroundings): void {
  const certificate = client
    .command('certificate')
    .description('Revokes certificates, of which the service keeps no list.')
    .helpCommand(false);
  const what = ['<certificate>', 'a file in PEM, or its SHA-256 in hexadecimal'] as const;
  const load = () => import('../admin/revocations.js');
  administer(
    certificate,
    'list',
    'Lists what is revoked: certificates, and all certificates of a thing or an authority.',
  ).action(
    action(
      around,
      later(async () => (await load()).list),
    ),
  );
  administer(certificate, 'revoke', 'Revokes a certificate. Connections that it was shown for end.')
    .argument(...what)
    .option('--reason <reason>', 'kept with it, for people')
    .action(
      action(
        around,
        later(async () => (await load()).revoke),
      ),
    );
  administer(certificate, 'restore', 'Takes back that a certificate is revoked.')
    .argument(...what)
    .action(
      action(
        around,
        later(async () => (await load()).restore),
      ),
    );
}
