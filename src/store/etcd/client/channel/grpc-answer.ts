import { status as codes } from '@grpc/grpc-js';
import type { Headers } from '../http2/header-block.js';
import type { Http2Stream } from '../http2/http2-stream.js';
import { readDetails, statusError } from './grpc-status.js';

export interface AnswerEvents {
  /** More bytes of the answer's messages: a view that is valid until the call returns. */
  onData(piece: Buffer): void;
  /**
   * Called once, after all data. `null`: the stream ended without a status, so that nobody knows what became of the
   * request.
   */
  onStatus(status: { readonly code: codes; readonly details: string } | null): void;
}

/** Follows the answer on one HTTP/2 stream up to its status, which comes in the trailers, or alone in the headers. */
export function followAnswer(stream: Http2Stream, events: AnswerEvents): void {
  let status: { code: codes; details: string } | null = null;
  let isDone = false;
  const done = (): void => {
    if (isDone) return;
    isDone = true;
    events.onStatus(status);
  };
  stream.listen({
    onHeaders: (headers) => {
      status = statusOf(headers) ?? status;
      const http = headers.get(':status');
      if (status || http === undefined || http === '200') return;
      // Said by something in between that may have passed the request on.
      status = { code: codes.UNKNOWN, details: `HTTP status ${http} instead of an answer of gRPC` };
      done();
    },
    onData: (piece) => {
      if (!isDone) events.onData(piece);
    },
    onClose: done,
  });
}

function statusOf(headers: Headers): { code: codes; details: string } | null {
  const code = Number(headers.get('grpc-status') ?? NaN);
  return Number.isInteger(code) ? { code, details: readDetails(headers.get('grpc-message')) } : null;
}

/** The error of an answer that ended with OK and yet is none. It says nothing about the request. No errors. */
export function noAnswer(reason: string): Error {
  return statusError(codes.INTERNAL, reason);
}
