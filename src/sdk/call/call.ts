/** One call of the service on its way through the chain. A link that changes it hands a changed copy on. */
export interface Call {
  /** What it does, for logs, spans and metrics: `shadow.update`. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query, encoded: `/v1/things/lamp-1/shadow?name=net`. */
  readonly path: string;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** A stream can be sent once: such a call is never repeated. */
  readonly body?: string | ReadableStream<Uint8Array>;
  /** Aborts when the caller does, and at the deadline. */
  readonly signal: AbortSignal;
  /** Milliseconds of the monotonic clock at which the whole call ends, with all its attempts. */
  readonly deadline: number;
  /** Counts from 1; the link `retry` sets it. */
  readonly attempt: number;
  /** Whether it may change something. */
  readonly isWrite: boolean;
  /** Whether it may be sent again though its outcome is unknown: reads, and writes with an Idempotency-Key. */
  readonly isRepeatable: boolean;
  /** Whether the body of the answer is read as it comes; it is `body` of the answer then, else `text`. */
  readonly isStream: boolean;
}

/** An answer with a status from 200 to 299, or 304; all others are thrown as an UmbraError. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The whole body; of a stream it is empty. */
  readonly text: string;
  /** The body of a stream, else null. */
  readonly body: ReadableStream<Uint8Array> | null;
}

/** @throws UmbraError, and nothing else */
export type Next = (call: Call) => Promise<Answer>;

/**
 * A step of each call. It may change the call, call `next` once, several times or never, and look at the answer or the
 * error.
 */
export type Link = (call: Call, next: Next) => Promise<Answer>;
