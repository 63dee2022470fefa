/** `half-open`: it lets a probe through. */
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;

/** What a node tells its peers of one breaker: `breakers/{dependency}/{node}`. */
export interface BreakerState {
  readonly state: (typeof BREAKER_STATES)[number];
  /** Failures since the last success. */
  readonly failureCount: number;
  /** Epoch milliseconds; null: it is closed. */
  readonly openedAt: number | null;
}

/** Characters of a record; what is longer is not of ours. */
const MAX_CHARACTERS = 512;

/** No errors. */
export function writeState({ state, failureCount, openedAt }: BreakerState): string {
  return JSON.stringify({ state, failureCount, openedAt });
}

/** The state of a record; null: it cannot be read. No errors. */
export function readState(text: string): BreakerState | null {
  if (text.length > MAX_CHARACTERS) return null;
  let parsed: Partial<BreakerState> | null;
  try {
    parsed = JSON.parse(text) as Partial<BreakerState> | null;
  } catch {
    return null;
  }
  const { state, failureCount = 0, openedAt = null } = parsed ?? {};
  if (state === undefined || !BREAKER_STATES.includes(state)) return null;
  return {
    state,
    failureCount: Number.isSafeInteger(failureCount) ? failureCount : 0,
    openedAt: Number.isSafeInteger(openedAt) ? openedAt : null,
  };
}
