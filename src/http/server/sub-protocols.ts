import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../errors/service-error.js';

/** The protocol of streams over WebSocket, which a client may ask for by name. */
export const STREAM_PROTOCOL = 'umbra.v1';
/** What stands before a token among the names of protocols: a browser lets its pages set no other header of a WebSocket. */
const BEARER = 'umbra.bearer.';

/**
 * Makes a token among the sub-protocols that a request offers its bearer token. It is never chosen, so no answer repeats
 * it, and unlike a query string no log and no history keeps it.
 * @returns what is wrong with it; null: nothing, or there is none. No errors.
 */
export function proveBySubProtocol({ headers }: IncomingMessage): ServiceError | null {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const [token, ...others] = offered.filter((name) => name.startsWith(BEARER));
  if (token === undefined) return null;
  if (others.length > 0) return new ServiceError('invalidRequest', `A request may offer one ${BEARER}… only`);
  // A browser closes a WebSocket whose answer names none of its protocols.
  if (!offered.includes(STREAM_PROTOCOL))
    return new ServiceError(
      'invalidRequest',
      `Offer ${STREAM_PROTOCOL} beside ${BEARER}…: it is the one that is chosen`,
    );
  // RFC 6750 section 2: a client must not send its token in two ways.
  if (headers.authorization !== undefined)
    return new ServiceError('invalidRequest', `A request may have ${BEARER}… or Authorization, not both`);
  headers.authorization = `Bearer ${token.slice(BEARER.length)}`;
  return null;
}
