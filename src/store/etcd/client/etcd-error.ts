import {
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
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
 * - `not-applied`: this member did not take it; another one, or the same one later, may.
 * - `in-doubt`: it may have been applied, and may even be applied later.
 * - `storage-full`: refused by the quota. Servers check it before they propose and again when they apply, and the second
 *   check refuses what is applied all the same: look before believing it.
 * - `too-large`: not applied; a smaller request is taken.
 * - `lease-gone`: the lease of a put does not exist; not applied.
 * - `refused`: the request is wrong or forbidden; every member will say so. Not applied.
 */
export type EtcdFault = 'not-applied' | 'in-doubt' | 'storage-full' | 'too-large' | 'lease-gone' | 'refused';

/** The library drops code and details of an error (ETCD 1): class and text are what is left. Texts go first. */
const TEXTS: readonly (readonly [RegExp, EtcdFault])[] = [
  [/database space exceeded/, 'storage-full'],
  // Lower case and "grpc:" are the server's own words; the client's "Received message larger" is about an answer.
  [/request is too large|too many operations in txn|grpc: received message larger than max/, 'too-large'],
  [/requested lease not found/, 'lease-gone'],
  // Not yet handed to a connection, so never sent.
  [/No connection established|Channel closed before call started|Name resolution failed/, 'not-applied'],
  [/Waiting for LB pick|waiting for name resolution|waiting for metadata filters/, 'not-applied'],
  [/client was already closed/, 'not-applied'],
  // Not "server stopped": that comes after the proposal has gone out.
  [/etcdserver: no leader|etcdserver: too many requests|etcdserver: not capable/, 'not-applied'],
];

const CLASSES: readonly (readonly [abstract new (...args: never[]) => Error, EtcdFault])[] = [
  [EtcdLeaseInvalidError, 'lease-gone'],
  [EtcdInvalidAuthTokenError, 'not-applied'],
  // The user or its password may be repaired while we try; until the deadline it is the storage that is not there.
  [EtcdAuthenticationFailedError, 'not-applied'],
  [GRPCUnauthenticatedError, 'not-applied'],
  [EtcdPermissionDeniedError, 'refused'],
  [GRPCInvalidArgumentError, 'refused'],
  [GRPCFailedPreconditionError, 'refused'],
  [GRPCNotFoundError, 'refused'],
  [GRPCOutOfRangeError, 'refused'],
  [GRPCNotImplementedError, 'refused'],
];

/** Everything that is not known for certain is in doubt. */
export function classify(error: unknown): EtcdFault {
  if (!(error instanceof Error)) return 'in-doubt';
  for (const [text, fault] of TEXTS) if (text.test(error.message)) return fault;
  for (const [type, fault] of CLASSES) if (error instanceof type) return fault;
  return 'in-doubt';
}

/** The history that a read asked for is gone, or was never there. */
export function isOutsideHistory(error: unknown): boolean {
  return error instanceof Error && /required revision (has been compacted|is a future revision)/.test(error.message);
}

/** A client that holds a refused token does not recover by itself in every case (ETCD 6): build a new one. */
export function needsNewClient(error: unknown): boolean {
  return (
    error instanceof EtcdInvalidAuthTokenError ||
    error instanceof GRPCUnauthenticatedError ||
    error instanceof CallHung ||
    (error instanceof Error && /invalid auth token|client was already closed/.test(error.message))
  );
}

/** The call did not even end at its own deadline: the library is stuck below it, such as in its authentication. */
export class CallHung extends Error {
  override readonly name = 'CallHung';
}
