import { status as codes } from '@grpc/grpc-js';
import { castGrpcError } from 'etcd3';

/** The error that the library makes of this gRPC status: `classify` sorts the calls of both clients alike. No errors. */
export function statusError(code: codes, details: string): Error {
  const name = codes[code] ?? 'UNKNOWN';
  return castGrpcError(Object.assign(new Error(`${code} ${name}: ${details}`), { code }));
}

/** The request was never given to a connection, so it was not applied. No errors. */
export function notSent(reason: string): Error {
  return statusError(codes.UNAVAILABLE, `No connection established. Last error: ${reason}`);
}

/** The connection went away after the request had been given to it: the request may have been applied. No errors. */
export function dropped(reason: string): Error {
  return statusError(codes.UNAVAILABLE, `Connection dropped: ${reason}`);
}

/** The text of `grpc-message`, which comes with percent signs; a text that is no such code stays as it is. */
export function readDetails(text: string | undefined): string {
  if (text === undefined) return '';
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
