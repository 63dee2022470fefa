import { clientError, UmbraError } from '../../umbra-error.js';

/** Revoked, used twice, wrong client or secret. */
const FINAL_AUTH_CODES = new Set(['AUTH_105', 'AUTH_108', 'AUTH_111']);
/** Their kin of OAuth: the service sends them with those codes and others, issuers of others without. */
const FINAL_CODES = new Set(['invalid-grant', 'invalid-client', 'unauthorized-client', 'access-denied', 'signed-out']);

/** Whether trying again cannot help: somebody has to sign in, or to set another secret. No errors. */
export const isFinal = ({ code, authCode, retryAfterMs }: UmbraError): boolean =>
  // All tokens of the principal were revoked a moment ago: the service says when it gives new ones.
  retryAfterMs === null && (FINAL_CODES.has(code) || FINAL_AUTH_CODES.has(authCode ?? ''));

/** Whether it may help soon. A node that fails inside is no judge of a credential. No errors. */
export const mayPass = ({ retryable, status, retryAfterMs }: UmbraError): boolean =>
  retryable || retryAfterMs !== null || (status ?? 0) >= 500;

/** Whatever a source or a store has thrown, as an error of the library. Its text may hold a secret, and is left out. */
export const asUmbraError = (error: unknown): UmbraError =>
  error instanceof UmbraError
    ? error
    : clientError('credential-failed', 'the source of the credential or its store has failed', { retryable: true });

/** Nobody is signed in any more. No errors. @param cause null: the user has signed out */
export const signedOut = (cause: UmbraError | null): UmbraError =>
  clientError('signed-out', cause ? `signed out: ${cause.message}` : 'signed out', {
    ...(cause && { cause, authCode: cause.authCode, status: cause.status, requestId: cause.requestId }),
  });

/** Why no token was got, for a caller that comes before the next attempt. No errors. @param ms until that */
export function later(error: UmbraError | null, ms: number): UmbraError {
  const { message = 'no token', code = 'credential-failed', cause, ...rest } = error ?? {};
  const more = { ...rest, outcome: 'not-applied', retryable: true, retryAfterMs: Math.max(ms, 0) } as const;
  return new UmbraError({ ...more, code, message, cause });
}
