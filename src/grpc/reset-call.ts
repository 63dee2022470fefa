import type { EventEmitter } from 'node:events';
import { constants, type ServerHttp2Stream } from 'node:http2';

/** A call of the library, as far as it has been looked into: it offers no way to end a call whose peer reads nothing. */
interface Inside {
  /** Present below an interceptor. */
  readonly nextCall?: Inside;
  readonly stream?: ServerHttp2Stream;
}

/**
 * Cuts a call that was answered and whose peer does not take the answer within `ms` milliseconds: what waits for it
 * takes memory, and its connection may be one of a proxy with calls of others.
 */
export function resetUnlessTaken(answered: EventEmitter & { readonly cancelled: boolean }, ms: number): void {
  // So the library calls every end of a call, also one with a status.
  if (answered.cancelled) return;
  const timer = setTimeout(() => {
    let call = (answered as { call?: Inside }).call;
    while (call?.nextCall) call = call.nextCall;
    call?.stream?.close(constants.NGHTTP2_CANCEL);
  }, ms).unref();
  answered.once('cancelled', () => clearTimeout(timer));
}
