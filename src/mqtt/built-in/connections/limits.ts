/** A CONNECT must be there in this time, in milliseconds: half-open sockets go. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Milliseconds in which a packet that was begun must be complete, and a message of a WebSocket. */
export const PACKET_TIMEOUT_MS = 30_000;
/** Milliseconds for which the peer may take its time to close. */
export const CLOSE_MS = 1_000;
/** Bytes of a connection that is being ended that are read and thrown away. */
export const MAX_DISCARDED = 256 * 1024;
/**
 * What a CONNECT counts for among the packets of a turn, in bytes, since credentials, policies and a session cost more than
 * a small packet: some sixty are let in per turn.
 */
export const CONNECT_COST = 16 * 1024;
