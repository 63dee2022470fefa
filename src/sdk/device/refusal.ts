import { clientError, UmbraError, type Outcome } from '../umbra-error.js';

/** Codes of `rejected`, which are statuses of HTTP, in the words of HTTP's problems. */
const CODES: Readonly<Record<number, string>> = {
  400: 'invalid-request',
  401: 'not-authenticated',
  403: 'not-allowed',
  404: 'not-found',
  409: 'version-conflict',
  413: 'document-too-large',
  429: 'too-many-requests',
  500: 'internal',
  503: 'service-unavailable',
};
/** Nothing was carried out, and it may be sent again. */
const PASSING = new Set([429, 503]);

/** The error of a message on `rejected`. No errors. */
export function rejectionOf({ code, message }: Readonly<Record<string, unknown>>): UmbraError {
  const status = typeof code === 'number' ? code : 500;
  return new UmbraError({
    code: CODES[status] ?? `rejected-${status}`,
    message: typeof message === 'string' ? message : `The service rejected the request with ${status}`,
    ...{ status, retryable: PASSING.has(status), outcome: status === 500 ? 'unknown' : 'not-applied' },
  });
}

/** Reason codes of MQTT 5 (128 and up) and return codes of a CONNACK of MQTT 3.1.1 that say who may not. */
const NOT_AUTHENTICATED = new Set([4, 134, 140]);
const NOT_ALLOWED = new Set([5, 135, 138]);
/** What the client has done wrong, and would do wrong again. */
const WRONG = new Set([1, 2, 129, 130, 132, 133, 143, 144, 149, 153, 154, 155, 158, 161, 162]);

/** The error of a reason code of MQTT. No errors. @param what a sentence without its end */
export function reasonOf(reason: number, what: string, outcome: Outcome = 'not-applied'): UmbraError {
  const message = `${what} (reason ${reason} of MQTT)`;
  if (NOT_AUTHENTICATED.has(reason)) return new UmbraError({ code: 'not-authenticated', message, status: 401 });
  if (NOT_ALLOWED.has(reason)) return new UmbraError({ code: 'not-allowed', message, status: 403 });
  if (WRONG.has(reason)) return new UmbraError({ code: `mqtt-${reason}`, message });
  return new UmbraError({ code: `mqtt-${reason}`, message, retryable: true, outcome });
}

/** Whether it says who may not: the credential does not hold, or does not allow it. No errors. */
export const isOfCredential = ({ status }: UmbraError): boolean => status === 401 || status === 403;

/**
 * The error of a request whose connection has ended. Whatever the reason of that, such as a token that was over, it is no
 * answer to the request. No errors.
 */
export const cutOff = (reason: UmbraError, outcome: Outcome = 'unknown'): UmbraError =>
  lost(reason.message, outcome, reason);

/** The fault of a message, such as its size, by which the node ended the connection. null: it named none. No errors. */
export function faultOf({ cause }: UmbraError): UmbraError | null {
  return cause instanceof UmbraError && cause.code.startsWith('mqtt-') && !cause.retryable ? cause : null;
}

/** The error of a connection that is gone. No errors. */
export const lost = (what: string, outcome: Outcome = 'not-applied', cause?: unknown): UmbraError =>
  clientError('unreachable', what, { retryable: true, outcome, ...(cause !== undefined && { cause }) });
