import type { Duplex } from 'node:stream';
import type { Principal } from '../../../access/principal.js';
import type { TooManySessions } from '../../../access/session-limits.js';

/** How a connection came to this door. */
export interface Accepted {
  /** There are too many connections: its CONNACK says so. */
  readonly isRefused: boolean;
  /** There are too many of its network: its CONNACK says so. */
  readonly excess?: TooManySessions;
  /** The socket below a WebSocket; else the stream is the socket. */
  readonly socket?: Duplex;
  /** Whom the request that opened its WebSocket has proven; none: CONNECT has to. */
  readonly proven?: Principal;
}
