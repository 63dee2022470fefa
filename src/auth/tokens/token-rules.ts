/** How strictly a refresh token is bound to who got it. */
export type Binding = 'client' | 'client+address' | 'client+address+agent';

/** The rules of tokens for one tenant. Times are seconds. */
export interface TokenRules {
  /** Life of an access token. */
  readonly ttl: number;
  /** An access token is still accepted that long after its end, and its caller is told to renew it. */
  readonly gracePeriod: number;
  /** Clients renew after half of `ttl`, whatever is left. */
  readonly forceRotate: boolean;
  /** A refresh family ends that long after its first token. */
  readonly refreshTtl: number;
  /** A refresh family ends when it was not used for that long. */
  readonly refreshIdle: number;
  /** A used refresh token still gives the same successor for that long: requests race, and answers get lost. */
  readonly reuseGrace: number;
  /** Difference of two clocks that is borne. */
  readonly clockSkew: number;
  readonly binding: Binding;
}

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** Seconds that each time may have: the least and the most. */
export const RULE_LIMITS = {
  ttl: [60, DAY],
  gracePeriod: [0, HOUR],
  refreshTtl: [HOUR, 400 * DAY],
  refreshIdle: [HOUR, 400 * DAY],
  reuseGrace: [0, 60],
  clockSkew: [0, 300],
} as const satisfies Partial<Record<keyof TokenRules, readonly [number, number]>>;

export const DEFAULT_RULES: TokenRules = {
  ttl: HOUR,
  gracePeriod: 0,
  forceRotate: false,
  refreshTtl: 30 * DAY,
  refreshIdle: 14 * DAY,
  reuseGrace: 10,
  clockSkew: 30,
  binding: 'client',
};

/** Milliseconds that an access token can be accepted for after its end: grace, and a clock that is behind. */
export const LONGEST_AFTER_END_MS = (RULE_LIMITS.gracePeriod[1] + RULE_LIMITS.clockSkew[1]) * 1_000;

/**
 * Milliseconds that an access token can be accepted for after it was signed, whatever the rules said then: the limits,
 * with a clock that is ahead when signing.
 */
export const LONGEST_VALIDITY_MS = (RULE_LIMITS.ttl[1] + RULE_LIMITS.clockSkew[1]) * 1_000 + LONGEST_AFTER_END_MS;
