import type { Clock } from '../../platform.js';
import { clientError, UmbraError } from '../../umbra-error.js';
import { pause } from '../../within.js';
import type { FormAnswer } from '../token-request.js';

/** What somebody needs who signs in with another device (RFC 8628). */
export interface DeviceLogin {
  /** Shown to them, and typed in at `verificationUri`. */
  readonly userCode: string;
  readonly verificationUri: string;
  /** With the code in it, for a QR code; null: the issuer has none. */
  readonly verificationUriComplete: string | null;
  /** Milliseconds in which they have to do so. */
  readonly lifetimeMs: number;
  /**
   * Waits until they have, and signs the session in. It can be called again after `aborted`.
   * @throws UmbraError `access-denied`, `expired-token`, aborted; what the issuer has answered
   */
  finish(signal?: AbortSignal): Promise<void>;
}

export interface DeviceCode extends Omit<DeviceLogin, 'finish'> {
  /** What the tokens are asked for with; not for people. */
  readonly code: string;
  /** Milliseconds between two questions. */
  readonly intervalMs: number;
}

/** Milliseconds that are added whenever the issuer asks for it. */
const SLOWER_MS = 5_000;
/** Milliseconds: no pause after failures on the way is longer. */
const LONGEST_MS = 60_000;

/** @throws UmbraError bad-answer */
export function deviceCodeOf({ body }: FormAnswer): DeviceCode {
  const { device_code: code, user_code: userCode, verification_uri: uri, expires_in: seconds, interval } = body;
  const whole = body['verification_uri_complete'];
  if (typeof code !== 'string' || typeof userCode !== 'string' || !isLink(uri) || !(Number(seconds) > 0))
    throw clientError('bad-answer', 'the issuer has sent no device code that can be used');
  return {
    ...{ code, userCode, verificationUri: uri },
    verificationUriComplete: isLink(whole) ? whole : null,
    lifetimeMs: Number(seconds) * 1_000,
    intervalMs: (Number(interval) > 0 ? Number(interval) : 5) * 1_000,
  };
}

interface PollLimits {
  readonly intervalMs: number;
  /** Milliseconds of the monotonic clock. */
  readonly end: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const isLink = (uri: unknown): uri is string =>
  typeof uri === 'string' && URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol);

/**
 * Asks again and again until somebody has signed in, as slowly as the issuer wants. What fails on the way doubles the
 * pause.
 * @param ask one request for the tokens
 * @throws UmbraError
 */
export async function polled(ask: () => Promise<FormAnswer>, limits: PollLimits): Promise<FormAnswer> {
  const { intervalMs, end, clock, signal } = limits;
  for (let ms = intervalMs; ;) {
    if (clock.monotonic() + ms >= end)
      throw new UmbraError({ code: 'expired-token', message: 'nobody has signed in in time' });
    await pause(clock, ms, signal, 'the login');
    try {
      return await ask();
    } catch (error) {
      const { code, retryable } = error as UmbraError;
      if (code === 'slow-down') ms += SLOWER_MS;
      else if (retryable && !signal.aborted) ms = Math.max(ms, Math.min(2 * ms, LONGEST_MS));
      else if (code !== 'authorization-pending') throw error;
    }
  }
}
