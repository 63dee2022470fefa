/**
 * Whether a write has taken place. `unknown`: its answer was lost, so it may have. Of reads, which change nothing, it is
 * `not-applied`.
 */
export type Outcome = 'applied' | 'not-applied' | 'unknown';

export interface UmbraErrorParts {
  readonly code: string;
  readonly message: string;
  readonly status?: number | null;
  readonly retryable?: boolean;
  readonly outcome?: Outcome;
  readonly requestId?: string | null;
  readonly authCode?: string | null;
  readonly retryAfterMs?: number | null;
  readonly problem?: Readonly<Record<string, unknown>> | null;
  readonly cause?: unknown;
}

/** The only class of errors that this library throws. */
export class UmbraError extends Error {
  override readonly name = 'UmbraError';
  /**
   * What happened, for programs. Of an answer of the service it is the end of its problem type, such as `not-found` or
   * `precondition-failed`; of the library itself it is one of `ClientCode`.
   */
  readonly code: string;
  /** HTTP status; null: no answer has come. */
  readonly status: number | null;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  readonly outcome: Outcome;
  /** Finds the line in the log of the node. */
  readonly requestId: string | null;
  /** `AUTH_nnn` of a refusal by identity, policies or limits. */
  readonly authCode: string | null;
  /** Milliseconds after which the service asks to come again. */
  readonly retryAfterMs: number | null;
  /** The whole answer, if it was JSON: it may have more, such as `current` of a refused transaction. */
  readonly problem: Readonly<Record<string, unknown>> | null;

  constructor(parts: UmbraErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = parts.code;
    this.status = parts.status ?? null;
    this.retryable = parts.retryable ?? false;
    this.outcome = parts.outcome ?? 'not-applied';
    this.requestId = parts.requestId ?? null;
    this.authCode = parts.authCode ?? null;
    this.retryAfterMs = parts.retryAfterMs ?? null;
    this.problem = parts.problem ?? null;
  }

  /** The same error with another outcome. No errors. */
  withOutcome(outcome: Outcome): UmbraError {
    if (outcome === this.outcome) return this;
    return new UmbraError({ ...this, message: this.message, outcome, cause: this.cause });
  }

  toJSON(): Record<string, unknown> {
    const { name, message, code, status, retryable, outcome, requestId, authCode } = this;
    return { name, message, code, status, retryable, outcome, requestId, ...(authCode !== null && { authCode }) };
  }
}

/**
 * Codes of errors that are not an answer of the service.
 * - `unreachable`: no connection, or it was cut.
 * - `timeout`: the wait was over. `aborted`: the caller's signal has ended it. `closed`: the client was closed.
 * - `stalled`: an answer has begun, and its rest does not come.
 * - `bad-answer`: what came is not of this service.
 * - `compacted`, `epoch-changed`: a stream cannot go on from its cursor; load the present state. `cursor-gone`: the
 *   same, where a 410 does not say why.
 * - `forbidden`: the service has ended a stream, because its credential no longer holds or policies allow it nothing.
 * - `too-many-shadows`: a cache was full. `outbox-full`: more reports wait than may.
 * - `refused`: Redis does not do what a consumer asks for. `trimmed`: changes have left its stream unread.
 * - `signed-out`: somebody has to sign in again. `credential-failed`: the source of the credential, or its store, has failed.
 * - `invalid-argument`: the call itself is wrong.
 */
export type ClientCode =
  | 'unreachable'
  | 'timeout'
  | 'stalled'
  | 'aborted'
  | 'closed'
  | 'bad-answer'
  | 'compacted'
  | 'epoch-changed'
  | 'cursor-gone'
  | 'forbidden'
  | 'too-many-shadows'
  | 'outbox-full'
  | 'refused'
  | 'trimmed'
  | 'signed-out'
  | 'credential-failed'
  | 'invalid-argument';

/** An error of the library itself. No errors. */
export const clientError = (
  code: ClientCode,
  message: string,
  more: Omit<UmbraErrorParts, 'code' | 'message'> = {},
): UmbraError => new UmbraError({ code, message, ...more });

/** Whether a wait was given up, so that nobody knows what would have come. No errors. */
export const isEnd = ({ code }: UmbraError): boolean => ENDS.has(code);

const ENDS = new Set(['timeout', 'stalled', 'aborted', 'closed']);
