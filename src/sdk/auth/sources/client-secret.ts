import { AuthSession, type SessionOptions } from '../session/auth-session.js';
import type { TokenSource } from '../session/token-source.js';
import { askToken } from '../token-request.js';
import { secretOf, type Secret } from './secret.js';

export interface ClientSecretOptions extends SessionOptions {
  /** Actions that the tokens are limited to, such as `iot:GetThingShadow`; by default to nothing but the policies. */
  readonly scope?: string;
  /** Where tokens come from; by default the service itself. */
  readonly tokenUrl?: string;
}

/** Milliseconds for one request for a token. */
const TIMEOUT_MS = 10_000;

/**
 * Tokens for a principal and one of its keys (`client_credentials`). The service needs `UMBRA_AUTH_ISSUER`. No errors
 * until it is used.
 * @param id `dash`, or with its tenant `acme/dash`
 */
export function clientSecret(id: string, secret: Secret, options: ClientSecretOptions = {}): AuthSession {
  const { scope, tokenUrl } = options;
  const source: TokenSource = {
    renew: async ({ url, platform, signal }) =>
      askToken({
        ...{ url: tokenUrl ?? `${url}/v1/auth/token`, platform, signal, timeoutMs: TIMEOUT_MS },
        form: { grant_type: 'client_credentials', ...(scope !== undefined && { scope }) },
        basic: { id, secret: await secretOf(secret) },
      }),
  };
  return new AuthSession(source, options);
}
