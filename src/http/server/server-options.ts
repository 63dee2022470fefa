/** Milliseconds for the headers, and for the whole of a request: a client that trickles bytes is cut off (408). */
const HEADERS_TIMEOUT_MS = 10_000;
export const RECEIVE_TIMEOUT_MS = 20_000;
/** Milliseconds for which an idle connection is kept; above the 60 s after which common load balancers close theirs. */
export const KEEP_ALIVE_MS = 65_000;
/** Milliseconds without a byte either way while a request is being served; streams lift this limit for themselves. */
export const SOCKET_IDLE_MS = 120_000;
/** Bytes of all headers, the request line included. It also bounds names, so that a long name gets our 400. */
export const MAX_HEADER_BYTES = 16_384;

/** Options of every server that serves the routes, with TLS or without. */
export const SERVER_OPTIONS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: RECEIVE_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: MAX_HEADER_BYTES,
  // RequestHeads refuses those without; Node would go on with what follows them.
  requireHostHeader: false,
} as const;
