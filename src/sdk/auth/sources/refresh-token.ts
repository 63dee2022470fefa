import { clientError } from '../../umbra-error.js';
import { AuthSession, type SessionOptions } from '../session/auth-session.js';
import type { TokenSource } from '../session/token-source.js';
import { askToken, postForm } from '../token-request.js';
import { secretOf, type Secret } from './secret.js';

export interface RefreshTokenOptions extends SessionOptions {
  /** Whose token it is: `dash`, or with its tenant `acme/dash`. */
  readonly clientId: string;
  /** A key of it. */
  readonly clientSecret: Secret;
  /** The first refresh token of the login. What the store has counts first. */
  readonly refreshToken?: string;
}

/**
 * Milliseconds for one request. A used refresh token gives the same successor for 10 s (`reuse_grace`): three attempts
 * with their pauses are over by then, so that a lost answer ends no login.
 */
export const ROTATION_TIMEOUT_MS = 3_000;

/**
 * Tokens for a refresh token of the service, which is used once and replaced by the next one. With a `store` the login
 * outlives the process, and processes can share it. No errors until it is used.
 */
export function refreshToken(options: RefreshTokenOptions): AuthSession {
  const basic = async () => ({ id: options.clientId, secret: await secretOf(options.clientSecret) });
  const source: TokenSource = {
    isLogin: true,
    async renew({ url, platform, signal, refreshToken: latest }) {
      const token = latest ?? options.refreshToken;
      if (token === undefined) throw clientError('signed-out', 'there is no refresh token: sign in');
      return askToken({
        ...{ url: `${url}/v1/auth/token`, platform, signal, timeoutMs: ROTATION_TIMEOUT_MS },
        form: { grant_type: 'refresh_token', refresh_token: token },
        basic: await basic(),
      });
    },
    async end({ url, platform, signal, refreshToken: latest }) {
      const token = latest ?? options.refreshToken;
      if (token === undefined) return;
      const form = { token, token_type_hint: 'refresh_token' };
      const timeoutMs = ROTATION_TIMEOUT_MS;
      await postForm({ url: `${url}/v1/auth/revoke`, form, basic: await basic(), platform, signal, timeoutMs });
    },
  };
  return new AuthSession(source, options);
}
