import { headerParameter } from '../http/openapi/parameters.js';

/** The header of requests that are carried out once. */
export const IDEMPOTENCY_KEY = headerParameter(
  'Idempotency-Key',
  '1 to 255 visible ASCII characters. The same request with the same key gets the first answer for 24 hours, with Idempotent-Replayed: true. Another request with it: 422.',
);
/** How long such a request may be repeated. */
export const IDEMPOTENCY_LIFETIME = headerParameter(
  'Idempotency-Lifetime',
  'Seconds for which the answer is to be kept at least, 1 to 86400: up to 300 it is kept for 5 minutes, else for 24 hours.',
);
/** Errors of such requests. */
export const IDEMPOTENCY_ERRORS = { idempotencyKeyReused: '' } as const;
