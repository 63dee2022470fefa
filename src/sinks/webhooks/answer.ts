/** What an endpoint has answered. */
export interface EndpointAnswer {
  readonly status: number;
  /** The header of that name, as it came. */
  readonly retryAfter: string | null;
}

/** What an answer means for the message. */
export type Verdict =
  | { readonly kind: 'delivered' }
  /** The receiver wants nothing more, ever. */
  | { readonly kind: 'gone' }
  | {
      readonly kind: 'failed';
      readonly reason: string;
      /** Milliseconds that the receiver asks us to wait; 0: it does not say. */
      readonly waitMs: number;
      /** Whether the endpoint as a whole fails, and not this message alone. */
      readonly isDown: boolean;
    };

/** Milliseconds: a receiver cannot ask us to wait longer. */
const LONGEST_WAIT_MS = 3_600_000;

/**
 * Standard Webhooks 1.0: 2xx is success, 410 ends the subscription, everything else is a failure. Redirects are not
 * followed.
 * @param now epoch milliseconds
 */
export function verdictOf({ status, retryAfter }: EndpointAnswer, now: number): Verdict {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 410) return { kind: 'gone' };
  const isRedirect = status >= 300 && status < 400;
  const reason = isRedirect ? `status ${status}, a redirect, which is not followed` : `status ${status}`;
  const isThrottled = status === 429 || status === 503;
  const waitMs = isThrottled ? waitOf(retryAfter, now) : 0;
  return { kind: 'failed', reason, waitMs, isDown: status === 429 || status >= 500 };
}

/** RFC 9110 section 10.2.3: seconds, or a date. What is neither counts as missing. */
function waitOf(text: string | null, now: number): number {
  if (text === null) return 0;
  const trimmed = text.trim();
  const ms = /^\d{1,10}$/.test(trimmed) ? Number(trimmed) * 1000 : dateOf(trimmed) - now;
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}

/** Date.parse() takes much more than the dates of HTTP, such as "-5". */
function dateOf(text: string): number {
  return /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : NaN;
}
