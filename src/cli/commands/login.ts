import type { Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { portNumber } from './options.js';

/** Adds `init`, `login` and `logout`. No errors. */
export function loginCommands(program: Command, around: Surroundings): void {
  program
    .command('init')
    .description(
      'Begins with a service: checks server and key, keeps them in a context, makes a tenant and a first device.',
    )
    .argument('[context]', 'name of the context; default by default')
    .option('--tenant <name>', 'administer this tenant; it is created if there is none')
    .option('--device <name>', 'create this device, with a key')
    .option('--key-out <file>', 'where its key goes; NAME.key by default')
    .option('--policy <file>', 'a policy that the device gets beside its role; it is created if there is none')
    .option('--force', 'replace the file of the key if it exists')
    .action(
      action(
        around,
        later(async () => (await import('../admin/init.js')).init),
      ),
    );
  program
    .command('login')
    .description('Signs in by a key, which is checked first, or at an OpenID provider, and keeps that in a context.')
    .argument('[context]', 'the current one by default; a new one needs --server')
    .option('--issuer <url>', 'sign in at this OpenID provider, which the tenant has registered')
    .option('--client-id <id>', 'of this command at the provider')
    .option('--device-code', 'sign in with a browser on another device; else one on this machine is needed')
    .option('--port <port>', 'where the browser comes back to on this machine; a free one by default', portNumber)
    .option('--scope <scope>', 'what is asked for; openid offline_access by default')
    .option('--resource <resource>', 'how the provider calls the service (RFC 8707), if it needs to know')
    .action(
      action(
        around,
        later(async () => (await import('../admin/login.js')).login),
      ),
    );
  program
    .command('logout')
    .description('Signs out: forgets the key or the login of a context. A login is ended at the provider, too.')
    .argument('[context]', 'the current one by default')
    .action(
      action(
        around,
        later(async () => (await import('../admin/login.js')).logout),
      ),
    );
}
