/**
 * - `idle`: nothing is under way.
 * - `refreshing`: a token is being got.
 * - `failed`: three attempts have failed, or one for good. Later attempts are made one by one, at `retryAt`.
 * - `recovered`: one of them has succeeded; `idle` follows at once.
 */
export type SessionState = 'idle' | 'refreshing' | 'failed' | 'recovered';

/** The states that may follow each one. */
export const NEXT_STATES: Readonly<Record<SessionState, readonly SessionState[]>> = {
  idle: ['refreshing'],
  refreshing: ['idle', 'failed'],
  failed: ['recovered'],
  recovered: ['idle'],
};
