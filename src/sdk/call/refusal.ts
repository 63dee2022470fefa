import { objectOf } from '../json.js';
import { UmbraError, type Outcome } from '../umbra-error.js';

/** The id of a request in answers, by which the log of the node finds it. */
const REQUEST_ID = 'x-request-id';
/** Problems that end a write which may have been carried out. */
const DOUBTFUL = new Set(['outcome-unknown', 'internal']);
/** Statuses of proxies and nodes that pass; the request may be repeated. */
const PASSING = new Set([408, 425, 429, 502, 503, 504]);

/** The error of an answer that is no success. No errors. @param isWrite whether the request may have changed something */
export function refusalOf(status: number, headers: Headers, text: string, isWrite: boolean): UmbraError {
  const problem = objectOf(text);
  const code = problemCode(problem) ?? `http-${status}`;
  const { detail, error_description: description, code: authCode } = problem ?? {};
  const message = [detail, description].find((each) => typeof each === 'string') ?? `The service answered ${status}`;
  return new UmbraError({
    code,
    message: message as string,
    status,
    retryable: PASSING.has(status),
    outcome: isWrite ? outcomeOf(status, code) : 'not-applied',
    requestId: headers.get(REQUEST_ID),
    authCode: typeof authCode === 'string' ? authCode : null,
    retryAfterMs: retryAfterMs(headers.get('retry-after')),
    problem,
  });
}

/** A node says exactly what happened. What a proxy in front of it says does not count for the node. */
function outcomeOf(status: number, code: string): Outcome {
  if (code === `http-${status}`) return status >= 500 || status === 408 ? 'unknown' : 'not-applied';
  return DOUBTFUL.has(code) ? 'unknown' : 'not-applied';
}

/** The name of an RFC 9457 problem, or of an OAuth error. */
function problemCode(problem: Record<string, unknown> | null): string | null {
  const { type, error } = problem ?? {};
  if (typeof type === 'string' && type !== 'about:blank') return type.slice(type.lastIndexOf(':') + 1);
  return typeof error === 'string' ? error.replaceAll('_', '-') : null;
}

/** Seconds, as all nodes send it; a date, as proxies may, is left out: it would need their clock. */
function retryAfterMs(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : null;
}
