import { clientError, UmbraError } from '../../umbra-error.js';
import type { Auth } from '../auth.js';
import type { AuthSession } from '../session/auth-session.js';
import type { ClientSecretOptions } from './client-secret.js';
import type { Secret } from './secret.js';

/**
 * `clientSecret` of `@umbra/client/auth`, loaded when it is first needed: pages with other credentials do without.
 * @param id `dash`, or with its tenant `acme/dash`
 */
export function clientSecret(id: string, secret: Secret, options?: ClientSecretOptions): Auth {
  const clients: Parameters<NonNullable<Auth['attach']>>[] = [];
  let made: AuthSession | undefined;
  let loading: Promise<AuthSession> | undefined;
  const session = (): Promise<AuthSession> => (loading ??= load());
  const load = async (): Promise<AuthSession> => {
    try {
      const module = await import('./client-secret.js');
      const fresh = module.clientSecret(id, secret, options);
      for (const client of clients) fresh.attach(...client);
      return (made = fresh);
    } catch (cause) {
      loading = undefined;
      // What it was given is wrong.
      if (cause instanceof UmbraError) throw cause;
      throw clientError('credential-failed', 'a part of the library could not be loaded', { retryable: true, cause });
    }
  };
  return {
    attach(...client) {
      if (made) made.attach(...client);
      // The address of a device is none for requests.
      else clients[client[0].startsWith('http') ? 'unshift' : 'push'](client);
    },
    headers: async (call) => (await session()).headers(call),
    refused: async (...refusal) => (await session()).refused(...refusal),
    token: async (signal) => (await session()).token(signal),
    close() {
      if (made) made.close();
      else clients.pop();
    },
  };
}
