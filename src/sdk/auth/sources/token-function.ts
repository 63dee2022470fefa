import type { Clock } from '../../platform.js';
import { AuthSession, type SessionOptions } from '../session/auth-session.js';
import type { Grant, TokenSource } from '../session/token-source.js';

/** A function that gets a token each time it is called; a bare text is a JWT with its times, or counts until refused. */
export type TokenFunction = (signal: AbortSignal) => Promise<string | Grant> | string | Grant;

/** Tokens of any function. No errors until it is used. */
export function tokenFunction(get: TokenFunction, options: SessionOptions = {}): AuthSession {
  const source: TokenSource = {
    async renew({ signal, platform: { clock } }) {
      const got = await get(signal);
      return typeof got === 'string' ? { token: got, lifetimeMs: lifetimeOf(got, clock) } : got;
    },
  };
  return new AuthSession(source, options);
}

/**
 * Milliseconds that a JWT has left; null: it does not say. One that would have ended already shows that a clock is wrong,
 * or that the token is old: then its whole life counts, and the service judges. No errors.
 */
export function lifetimeOf(token: string, clock: Pick<Clock, 'now'>): number | null {
  try {
    const part = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const { exp, iat } = JSON.parse(atob(part)) as { exp?: unknown; iat?: unknown };
    if (typeof exp !== 'number') return null;
    const lifeMs = typeof iat === 'number' && exp > iat ? (exp - iat) * 1_000 : Infinity;
    const leftMs = exp * 1_000 - clock.now();
    const ms = leftMs > 0 ? Math.min(leftMs, lifeMs) : lifeMs;
    return ms === Infinity ? null : ms;
  } catch {
    return null;
  }
}
