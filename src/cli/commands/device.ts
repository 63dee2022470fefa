import { Option, type Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { nameFromOption, withAuthority } from './ca.js';
import { makesKey } from './client.js';
import { administer, listOption, pairsOption, wholeDays } from './options.js';

const DEVICE = ['<device>', 'its id, which is the name of its thing unless it was created with another one'] as const;

/** Adds `device` with its subcommands. No errors. */
export function deviceCommand(program: Command, around: Surroundings): void {
  const device = program
    .command('device')
    .description('Administers devices, and makes their keys and certificates.')
    .helpCommand(false);
  const load = () => import('../admin/principals.js');
  administer(device, 'list', 'Lists the devices.')
    .option('--group <group>', 'only the members of this group')
    .action(
      action(
        around,
        later(async () => (await load()).listDevices),
      ),
    );
  administer(device, 'show', 'Shows a device and which keys it has.')
    .argument(...DEVICE)
    .action(
      action(
        around,
        later(async () => (await load()).showDevice),
      ),
    );
  withMembers(administer(device, 'create', 'Creates a device.').argument(...DEVICE))
    .option('--key-out <file>', 'make a key, too, and put it there; only its owner may read it')
    .option('--force', 'replace that file if it exists')
    .action(
      action(
        around,
        later(async () => (await import('../admin/devices.js')).create),
      ),
    );
  withMembers(
    administer(device, 'update', 'Changes a device: what is not given stays as it is.')
      .argument(...DEVICE)
      .option('--disable', 'it may do nothing, and its connections end')
      .option('--enable', 'take that back'),
    true,
  ).action(
    action(
      around,
      later(async () => (await load()).updateDevice),
    ),
  );
  administer(device, 'delete', 'Deletes a device with its keys. Its connections end; its shadows stay.')
    .argument(...DEVICE)
    .action(
      action(
        around,
        later(async () => (await load()).removeDevice),
      ),
    );
  credentialCommands(device, around);
}

/** Adds what makes and takes credentials. */
function credentialCommands(device: Command, around: Surroundings): void {
  makesKey(administer(device, 'key', 'Makes a key for a device and puts it into a file.').argument(...DEVICE))
    .addOption(
      new Option('--kind <kind>', 'secret is sent as it is; aws signs, as clients of AWS do')
        .choices(['secret', 'aws'])
        .default('secret'),
    )
    .action(
      action(
        around,
        later(async () => (await import('../admin/keys.js')).create),
      ),
    );
  certificateCommands(device, around);
  withdrawals(device, around);
}

function withMembers(command: Command, isChange = false): Command {
  const none = (what: string): string | undefined => (isChange ? `it has no ${what} any more` : undefined);
  command.option('--thing <thing>', 'its thing, if that has another name');
  command.option('--thing-type <type>', 'the type of the thing, for variables of policies');
  pairsOption(command, 'attribute', 'an attribute of the thing, for variables of policies', (text) => text);
  listOption(command, 'role', 'a role; device by default', none('role'));
  listOption(command, 'policy', 'a policy', none('policy'));
  listOption(command, 'group', 'a group that it is a member of', none('group'));
  return command;
}

function certificateCommands(device: Command, around: Surroundings): void {
  const load = () => import('../admin/device-certificates.js');
  withAuthority(
    device
      .command('cert')
      .description('Makes the certificate of a device by an authority on this machine. It asks no service.')
      .argument('<thing>', 'name of the thing'),
  )
    .requiredOption('--out <file>', 'where the certificate goes')
    .option('--key-out <file>', 'make a private key, too, and put it there; only its owner may read it')
    .option('--csr <file>', 'take the key of this request (PKCS #10) instead, whose private key is elsewhere')
    .option('--force', 'replace the files if they exist')
    .option('--days <days>', 'it ends after so many days', wholeDays, 365)
    .addOption(
      nameFromOption('where it has the name of the thing, as the authority is registered').default('commonName'),
    )
    .action(
      action(
        around,
        later(async () => (await load()).issueFor),
      ),
    );
  device
    .command('csr')
    .description('Makes a private key, and a request (PKCS #10) for a certificate of it. It asks no service.')
    .argument('<thing>', 'name of the thing')
    .requiredOption('--out <file>', 'where the request goes')
    .requiredOption('--key-out <file>', 'where the private key goes; only its owner may read it')
    .option('--force', 'replace the files if they exist')
    .action(
      action(
        around,
        later(async () => (await load()).request),
      ),
    );
}

function withdrawals(device: Command, around: Surroundings): void {
  const load = () => import('../admin/devices.js');
  administer(device, 'revoke', 'Takes a device its credentials: all keys, and all certificates of its thing.')
    .argument(...DEVICE)
    .option('--certificate <certificate>', 'only this certificate: a file in PEM, or its SHA-256')
    .option('--deleted', 'there is no such device any more: revoke the certificates of the thing of this name')
    .option('--reason <reason>', 'kept with the revocation, for people')
    .action(
      action(
        around,
        later(async () => (await load()).revoke),
      ),
    );
  administer(device, 'restore', 'Takes back that the certificates of a device are revoked. Keys do not come back.')
    .argument(...DEVICE)
    .option('--deleted', 'there is no such device any more: restore the certificates of the thing of this name')
    .action(
      action(
        around,
        later(async () => (await load()).restore),
      ),
    );
}
