import {
  EtcdAuthenticationFailedError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCUnauthenticatedError,
} from 'etcd3';

/**
 * What an error of a call to etcd says about the request (ETCD 3.3, 7).
 * - `not-applied`: this member did not apply it; another one, or the same one later, may.
 * - `in-doubt`: it may have been applied, and may even be applied later.
 * - `storage-full`: rejected by the quota. Servers check it before they propose and again when they apply, and the
 *   second check rejects requests that are applied all the same: read the keys before trusting it.
 * - `too-large`: not applied; a smaller request may be.
 * - `lease-gone`: the lease of a put does not exist; not applied.
 * - `refused`: the request is wrong or forbidden, on every member. Not applied.
 */
export type EtcdFault = 'not-applied' | 'in-doubt' | 'storage-full' | 'too-large' | 'lease-gone' | 'refused';

/** The library drops code and details of an error (ETCD 1): only class and text remain. Texts go first. */
const TEXTS: readonly (readonly [RegExp, EtcdFault])[] = [
  [/database space exceeded/, 'storage-full'],
  // Lower case and "grpc:" are the server's own words; the client's "Received message larger" is about an answer.
  [/request is too large|too many operations in txn|grpc: received message larger than max/, 'too-large'],
  [/requested lease not found/, 'lease-gone'],
  [/token refused|invalid auth token|revision of auth store is old/, 'not-applied'],
  // Not yet given to a connection, so never sent.
  [/No connection established|Channel closed before call started|Name resolution failed/, 'not-applied'],
  [/Waiting for LB pick|waiting for name resolution|waiting for metadata filters/, 'not-applied'],
  [/client was already closed/, 'not-applied'],
  // Not "server stopped": etcd says that after the proposal has gone out.
  [/etcdserver: no leader|etcdserver: too many requests|etcdserver: not capable/, 'not-applied'],
];

const CLASSES: readonly (readonly [abstract new (...args: never[]) => Error, EtcdFault])[] = [
  [EtcdLeaseInvalidError, 'lease-gone'],
  // An operator may repair the user or its password meanwhile; until the deadline the storage counts as unavailable.
  [EtcdAuthenticationFailedError, 'not-applied'],
  [GRPCUnauthenticatedError, 'not-applied'],
  [EtcdPermissionDeniedError, 'refused'],
  [GRPCInvalidArgumentError, 'refused'],
  [GRPCFailedPreconditionError, 'refused'],
  [GRPCNotFoundError, 'refused'],
  [GRPCOutOfRangeError, 'refused'],
  [GRPCNotImplementedError, 'refused'],
];

/** Unrecognised errors count as in doubt. No errors. */
export function classify(error: unknown): EtcdFault {
  if (!(error instanceof Error)) return 'in-doubt';
  for (const [text, fault] of TEXTS) if (text.test(error.message)) return fault;
  for (const [type, fault] of CLASSES) if (error instanceof type) return fault;
  return 'in-doubt';
}

/** The revision that a call asked for is compacted. Looks at the causes of a wrapped error too. */
export function isCompacted(error: unknown): boolean {
  return /required revision has been compacted/.test(messages(error));
}

/** The revision that a call asked for is beyond the history of etcd. Looks at the causes of a wrapped error too. */
export function isFuture(error: unknown): boolean {
  return /required revision is a future revision/.test(messages(error));
}

/** etcd does not have the revision that a call asked for: no longer, or not yet. */
export function isOutsideHistory(error: unknown): boolean {
  return isCompacted(error) || isFuture(error);
}

/** The lease that a call named does not exist, or no longer exists; the call was not applied. */
export function isLeaseGone(error: unknown): boolean {
  return classify(error) === 'lease-gone';
}

/** The text of a call whose token etcd does not accept; EtcdTokens writes it over etcd's own. */
export const TOKEN_REFUSED = 'token refused';

/**
 * Whether the details of a status say that etcd does not accept the token of the call. `invalid auth token`: expired, or
 * unknown after a restart. `revision of auth store is old`: a JWT older than the last change of users or roles (ETCD 6).
 */
export function refusesToken(details: string): boolean {
  return /invalid auth token|revision of auth store is old/.test(details);
}

/** The call failed only because its token is no longer valid: it was not applied. */
export function isTokenRefused(error: unknown): boolean {
  return error instanceof Error && error.message.includes(TOKEN_REFUSED);
}

/** The client is unusable: it is closed, or stuck below its calls. */
export function needsNewClient(error: unknown): boolean {
  return error instanceof CallHung || (error instanceof Error && /client was already closed/.test(error.message));
}

/** The call did not even end at its own deadline: the library is stuck below it, such as in its name resolution. */
export class CallHung extends Error {
  override readonly name = 'CallHung';
}

/** The messages of an error and of its causes: callers that repeat calls wrap the error of etcd. */
function messages(error: unknown): string {
  let text = '';
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    text += `${at.message}\n`;
  }
  return text;
}
