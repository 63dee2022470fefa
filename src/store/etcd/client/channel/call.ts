import type { status as codes } from '@grpc/grpc-js';
import type { Http2Stream } from '../http2/http2-stream.js';

/** One call of a channel, which ends exactly once. */
export interface Call {
  readonly isEnded: boolean;
  /** Milliseconds until its deadline; null: it has none. */
  leftMs(): number | null;
  /** The request goes out on `stream` from here on: it may be applied. */
  start(stream: Http2Stream, connection: CallConnection): void;
  /** Ends it before it was started. */
  fail(error: Error): void;
}

/** What a call has to do with the connection it was started on. */
export interface CallConnection {
  /** Why the connection has ended, for people. */
  readonly reason: string;
  /** A call had no answer in time: the connection may be dead. */
  suspect(): void;
}

/** Makes an error of a status that is not OK, and forgets a token that it refuses. */
export type Refusal = (code: codes, details: string) => Error;
