import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { status as codes } from '@grpc/grpc-js';
import { readDetails, statusError } from './grpc-status.js';

export interface AnswerEvents {
  /** More bytes of the answer's messages. */
  onData(chunk: Buffer): void;
  /**
   * Called once, after all data. `null`: the stream ended without a status, so that nobody knows what became of the
   * request.
   */
  onStatus(status: { readonly code: codes; readonly details: string } | null): void;
}

/** Follows the answer on one HTTP/2 stream up to its status, which comes in the trailers, or alone in the headers. */
export function followAnswer(stream: ClientHttp2Stream, events: AnswerEvents): void {
  let status: { code: codes; details: string } | null = null;
  let isEnded = false;
  let isDone = false;
  const done = (): void => {
    if (isDone) return;
    isDone = true;
    events.onStatus(status);
  };
  const take = (headers: IncomingHttpHeaders): void => {
    const code = Number(headers['grpc-status'] ?? NaN);
    if (Number.isInteger(code)) status = { code, details: readDetails(String(headers['grpc-message'] ?? '')) };
  };
  stream.on('response', (headers) => {
    take(headers);
    // Without data and trailers.
    if (status) return done();
    if (headers[':status'] === 200) return;
    // Said by something in between that may have passed the request on.
    status = { code: codes.UNKNOWN, details: `HTTP status ${headers[':status']} instead of an answer of gRPC` };
    done();
  });
  stream.on('data', (chunk: Buffer) => {
    if (!isDone) events.onData(chunk);
  });
  stream.on('trailers', (headers) => {
    take(headers);
    if (isEnded) done();
  });
  stream.on('end', () => {
    isEnded = true;
    if (status) done();
  });
  // An error without a listener ends the process; 'close' comes after it.
  stream.on('error', () => undefined);
  stream.on('close', done);
}

/** The error of an answer that ended with OK and yet is none. It says nothing about the request. No errors. */
export function noAnswer(reason: string): Error {
  return statusError(codes.INTERNAL, reason);
}
