import type { EventEmitter } from 'node:events';
import { constants, type ServerHttp2Stream } from 'node:http2';

/**
 * A call of the library, as far as it has been looked into: its public interface (ServerInterceptingCallInterface) has no
 * way to end a call whose peer reads nothing or goes on sending, and one limit of messages for all methods. A version in
 * which a part has moved fails grpc-server.spec.ts, which names the part.
 */
interface Inside {
  /** Present below an interceptor. */
  readonly nextCall?: Inside;
  readonly stream?: ServerHttp2Stream;
  maxReceiveMessageSize?: number;
  readonly decoder?: { maxReadMessageLength: number };
}

/**
 * Cuts a call that was answered and whose peer does not take the answer within `ms` milliseconds: what waits for it
 * takes memory, and its connection may be one of a proxy with calls of others.
 */
export function resetUnlessTaken(answered: EventEmitter & { readonly cancelled: boolean }, ms: number): void {
  // So the library calls every end of a call, also one with a status.
  if (answered.cancelled) return;
  const timer = setTimeout(() => reset((answered as { call?: object }).call), ms).unref();
  answered.once('cancelled', () => clearTimeout(timer));
}

/** Cuts a call, with what waits for its peer. No errors. */
export function reset(call: object | undefined): void {
  insideOf(call)?.stream?.close(constants.NGHTTP2_CANCEL);
}

/** Has the peer of a call that is answered send no more of its message (RFC 9113 section 8.1). No errors. */
export function stopSending(call: object): void {
  const stream = insideOf(call)?.stream;
  // By then the answer is on its way; a reset would overtake it.
  setImmediate(() => {
    if (stream !== undefined && !stream.destroyed && !stream.closed && stream.state.remoteClose !== 1) stream.close();
  });
}

/** Bounds the messages of a call to so many bytes. To be called before any of them is read. No errors. */
export function limitMessages(call: object, bytes: number): void {
  const inside = insideOf(call);
  if (inside?.decoder === undefined) return;
  inside.decoder.maxReadMessageLength = bytes;
  inside.maxReceiveMessageSize = bytes;
}

function insideOf(outer: object | undefined): Inside | undefined {
  let call = outer as Inside | undefined;
  while (call?.nextCall) call = call.nextCall;
  return call;
}
