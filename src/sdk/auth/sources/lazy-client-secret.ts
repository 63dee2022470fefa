import { clientError } from '../../umbra-error.js';
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
  let loading: Promise<AuthSession> | undefined;
  const session = (): Promise<AuthSession> => (loading ??= load());
  const load = async (): Promise<AuthSession> => {
    try {
      const module = await import('./client-secret.js');
      const made = module.clientSecret(id, secret, options);
      for (const client of clients) made.attach(...client);
      return made;
    } catch (cause) {
      loading = undefined;
      throw clientError('credential-failed', 'a part of the library could not be loaded', { retryable: true, cause });
    }
  };
  return {
    attach(...client) {
      clients.push(client);
      void loading?.then((made) => made.attach(...client));
    },
    headers: async (call) => (await session()).headers(call),
    refused: async (...refusal) => (await session()).refused(...refusal),
    token: async (signal) => (await session()).token(signal),
    close() {
      if (!loading) clients.pop();
      void loading?.then((made) => made.close());
    },
  };
}
