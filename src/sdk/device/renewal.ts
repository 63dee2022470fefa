import type { Auth } from '../auth/auth.js';
import type { Platform } from '../platform.js';
import { pause } from '../within.js';

export interface RenewalParts {
  readonly auth: Auth;
  readonly platform: Platform;
  /** @throws UmbraError */
  readonly publish: (topic: string, text: string) => Promise<void>;
  /** Aborts with the connection. */
  readonly signal: AbortSignal;
}

/** An access token published here takes the place of the one before. */
export const RENEW_TOPIC = '$umbra/session/renew';

/** Milliseconds. A token is replaced so long before its end, or when a fifth of its life is left, whichever is less. */
const EARLY_MS = 300_000;
const EARLY_SHARE = 0.2;
/** Milliseconds to wait if there is no newer token yet. */
const AGAIN_MS = 10_000;
/** Milliseconds: a machine that slept, or whose clock was set, is noticed after so long. */
const LOOK_MS = 60_000;

/** When a token ends, and how long it lives. Epoch milliseconds, milliseconds. */
export interface Life {
  readonly endsAt: number;
  readonly ttlMs: number;
}

/** null: it does not say, as keys do not. No errors. */
export function lifeOf(token: string): Life | null {
  const claims = token.split('.')[1];
  if (claims === undefined) return null;
  try {
    const text = atob(claims.replaceAll('-', '+').replaceAll('_', '/'));
    const { exp, iat } = JSON.parse(text) as { exp?: unknown; iat?: unknown };
    if (typeof exp !== 'number') return null;
    const ttlMs = typeof iat === 'number' && iat < exp ? (exp - iat) * 1_000 : EARLY_MS;
    return { endsAt: exp * 1_000, ttlMs };
  } catch {
    return null;
  }
}

/**
 * Publishes a newer token before the present one ends, for as long as the connection lives. Ends at once for a key, which
 * does not end.
 * @throws UmbraError if the service refuses a token, or the connection is lost
 */
export async function keepRenewed({ auth, platform, publish, signal }: RenewalParts, token: string): Promise<void> {
  const { clock } = platform;
  for (let present = token; ;) {
    const life = lifeOf(present);
    if (life === null) return;
    const dueAt = life.endsAt - Math.min(EARLY_MS, life.ttlMs * EARLY_SHARE);
    while (clock.now() < dueAt) await pause(clock, Math.min(dueAt - clock.now(), LOOK_MS), signal, 'the renewal');
    const next = (await auth.token?.(signal)) ?? present;
    if (next === present) {
      await pause(clock, AGAIN_MS, signal, 'the renewal');
      continue;
    }
    await publish(RENEW_TOPIC, next);
    present = next;
    // A wrong clock makes no loop without a pause.
    await pause(clock, AGAIN_MS, signal, 'the renewal');
  }
}
