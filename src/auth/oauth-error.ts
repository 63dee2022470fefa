import { ServiceError } from '../errors/service-error.js';
import type { TokenFault } from './tokens/token-fault.js';

/** Names of errors by RFC 6749 section 5.2, with two of section 4.1.2.1 for what is no fault of the client. */
export type OAuthErrorName =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'unsupported_grant_type'
  | 'server_error'
  | 'temporarily_unavailable';

/** A refusal as clients of OAuth expect it. `message` says what to change; it holds no secret. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError';

  /**
   * @param code our code; none: the row has none
   * @param retryAfter seconds
   */
  constructor(
    readonly error: OAuthErrorName,
    message: string,
    readonly code?: string,
    readonly status = error === 'invalid_client' ? 401 : 400,
    readonly retryAfter: number | null = status === 429 || status === 503 ? 1 : null,
  ) {
    super(message);
  }
}

/** The refusal of a grant by its token. No errors. */
export const grantError = ({ code, reason, retryAfter }: TokenFault): OAuthError =>
  new OAuthError('invalid_grant', reason, code, 400, retryAfter);

/** The client is not known by what it has shown. No errors. */
export function clientError({ code, message, authCode }: ServiceError): OAuthError {
  const isUnknown = code === 'credentialsMissing' || code === 'credentialsUnknown';
  const row = isUnknown ? new ServiceError('wrongSecret') : { message, authCode };
  return new OAuthError('invalid_client', row.message, row.authCode);
}

/** Any error of the service as OAuth names it. No errors. */
export function oauthErrorOf(error: unknown): OAuthError | null {
  if (error instanceof OAuthError) return error;
  if (!(error instanceof ServiceError)) return null;
  const { status, message, authCode } = error;
  if (status < 500 && status !== 429) return new OAuthError('invalid_request', message, authCode, status);
  return new OAuthError(status === 500 ? 'server_error' : 'temporarily_unavailable', message, authCode, status);
}
