import { Option, type Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { administer, listOption, wholeDays } from './options.js';

const AUTHORITY = ['<authority>', 'its certificate in PEM, or the SHA-256 of that'] as const;

/** The option that says where certificates have the name of their thing. No errors. */
export const nameFromOption = (description: string): Option =>
  new Option('--name-from <place>', description).choices(['commonName', 'dnsName', 'uri']);

/** The options by which an authority on this machine is named. No errors. */
export const withAuthority = (command: Command): Command =>
  command
    .requiredOption('--ca <file>', 'the certificate of the authority in PEM')
    .requiredOption('--ca-key <file>', 'its private key in PEM')
    .option('--passphrase-file <file>', 'the pass phrase of that key; on a terminal it is asked for');

/** Adds `ca` with its subcommands. No errors. */
export function caCommand(program: Command, around: Surroundings): void {
  const ca = program
    .command('ca')
    .description('Makes certificate authorities for devices, and registers them at the service.')
    .helpCommand(false);
  localCommands(ca, around);
  const load = () => import('../admin/authorities.js');
  administer(ca, 'list', 'Lists the authorities of the tenant.').action(
    action(
      around,
      later(async () => (await load()).list),
    ),
  );
  administer(ca, 'show', 'Shows an authority.')
    .argument(...AUTHORITY)
    .action(
      action(
        around,
        later(async () => (await load()).show),
      ),
    );
  withTrust(
    administer(ca, 'register', 'Registers an authority, and proves that its key is yours.')
      .argument('<certificate>', 'its certificate in PEM')
      .option('--ca-key <file>', 'its private key, which stays here; it signs the proof')
      .option('--passphrase-file <file>', 'the pass phrase of that key; on a terminal it is asked for')
      .option('--proof <file>', 'the proof, if the key is elsewhere: see `umbra ca prove`'),
  ).action(
    action(
      around,
      later(async () => (await load()).register),
    ),
  );
  withTrust(
    administer(ca, 'update', 'Changes what is trusted to an authority: what is not given stays as it is.')
      .argument(...AUTHORITY)
      .option('--disable', 'it lets nobody in, and connections of its devices end')
      .option('--enable', 'take that back'),
    true,
  ).action(
    action(
      around,
      later(async () => (await load()).update),
    ),
  );
  administer(ca, 'remove', 'Removes an authority from the service. Connections of its devices end.')
    .argument(...AUTHORITY)
    .action(
      action(
        around,
        later(async () => (await load()).remove),
      ),
    );
}

function withTrust(command: Command, isChange = false): Command {
  command.addOption(nameFromOption('where its certificates have the name of their thing; commonName by default'));
  command.option('--first-sight', 'a device becomes a client with the role device when it first connects');
  // Ahead of its opposite it would make `true` what nobody has given.
  if (isChange) command.option('--no-first-sight', 'devices have to be created before they connect');
  const none = isChange ? 'its devices get no policy any more' : undefined;
  listOption(command, 'policy', 'a policy of the devices that are made so', none);
  return command;
}

function localCommands(ca: Command, around: Surroundings): void {
  const load = () => import('../admin/local-authority.js');
  ca.command('create')
    .description('Makes an authority on this machine: a private key, and a certificate that it signs itself.')
    .requiredOption('--name <name>', 'its common name, of 64 characters at most, such as "Acme devices"')
    .option('--organization <name>', 'the organization in its name')
    .requiredOption('--out <file>', 'where the certificate goes')
    .requiredOption('--key-out <file>', 'where the private key goes; only its owner may read it')
    .option('--force', 'replace the files if they exist')
    .option('--days <days>', 'it ends after so many days', wholeDays, 3650)
    .action(
      action(
        around,
        later(async () => (await load()).create),
      ),
    );
  withAuthority(
    ca
      .command('prove')
      .description('Proves to the service that the key of an authority is yours: for a key that is on another machine.')
      .argument('<code>', 'what `umbra ca register` has said'),
  )
    .requiredOption('--out <file>', 'where the proof goes')
    .option('--force', 'replace the file if it exists')
    .action(
      action(
        around,
        later(async () => (await load()).prove),
      ),
    );
}
