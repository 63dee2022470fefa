/** Attempts in a row, before the session is `failed`. */
export const ATTEMPTS = 3;
/** Pauses between attempts: 1, 2, 4 s and so on. */
export const BACK_OFF = { firstMs: 1_000, longestMs: 30_000 };
/** Milliseconds for one attempt: the wait for other processes, for the store and for the source. */
export const ATTEMPT_MS = 30_000;
/** Milliseconds that a caller waits for a token, if its call does not end before. */
export const LONGEST_WAIT_MS = 120_000;
/** Milliseconds in which a token that came for a refused one, and is refused too, is not renewed again. */
export const REFUSED_MS = 60_000;
/** Milliseconds by which background renewals are spread, at most. */
export const SPREAD_MS = 60_000;
