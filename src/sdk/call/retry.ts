import { pauseAfter, type BackOff } from '../back-off.js';
import type { Platform } from '../platform.js';
import { UmbraError } from '../umbra-error.js';
import { pause } from '../within.js';
import type { Call, Link } from './call.js';

export interface RetryOptions extends Partial<BackOff> {
  /** All of them, the first included. */
  readonly attempts?: number;
}

/** Statuses by which the node has judged the request itself: an earlier attempt was not carried out. */
const JUDGED = new Set([400, 404, 409, 412, 413, 415, 422]);

/**
 * Sends a call again while that may help: with pauses that double and are spread, or as long as the service asks for,
 * and never beyond the deadline of the call. What may have been carried out is sent again only with an Idempotency-Key.
 */
export function retry(platform: Pick<Platform, 'clock' | 'random'>, options: RetryOptions = {}): Link {
  const { clock, random } = platform;
  const { attempts = 4, firstMs = 200, longestMs = 5_000 } = options;
  return async (call, next) => {
    // The reader of a stream connects again itself, from where it has got to. A body that is one can be sent once.
    if (call.isStream || typeof call.body === 'object') return next(call);
    let isInDoubt = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await next({ ...call, attempt });
      } catch (error) {
        if (!(error instanceof UmbraError)) throw error;
        isInDoubt = error.outcome === 'unknown' || (isInDoubt && !JUDGED.has(error.status ?? 0));
        const failed = isInDoubt ? error.withOutcome('unknown') : error;
        const ms = Math.max(pauseAfter(attempt, { firstMs, longestMs }, random()), error.retryAfterMs ?? 0);
        if (attempt >= attempts || !mayRepeat(call, error) || clock.monotonic() + ms >= call.deadline) throw failed;
        await pause(clock, ms, call.signal, call.name).catch((end: UmbraError) => {
          throw isInDoubt ? end.withOutcome('unknown') : end;
        });
      }
    }
  };
}

const mayRepeat = (call: Call, error: UmbraError): boolean =>
  error.retryable && (call.isRepeatable || error.outcome === 'not-applied');
