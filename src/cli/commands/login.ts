import type { Command } from 'commander';
import { action, later } from '../session.js';
import type { Surroundings } from '../surroundings.js';
import { portNumber } from './options.js';

/** Adds `login` and `logout`. No errors. */
export function loginCommands(program: Command, around: Surroundings): void {
  program
    .command('login')
    .description(
      'Signs in: checks a key, or signs in at an OpenID provider, and keeps that in a context. The key comes from --key-file, or is asked for.',
    )
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
