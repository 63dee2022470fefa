import type { ServiceError } from '../errors/service-error.js';
import type { Principal } from './principal.js';

/** The head of a request as it was sent, before anything is decoded. */
export interface SentHead {
  readonly method: string;
  /** Without the query. */
  readonly rawPath: string;
  /** Without the question mark; empty: there is none. */
  readonly rawQuery: string;
  /** Names and values in turn, as `rawHeaders` of Node has them. */
  readonly headers: readonly string[];
}

/** Knows callers by signatures of their whole requests. */
export interface RequestSignatures {
  /** Whether an `Authorization` holds a signature, or something that is meant to be one. No errors. */
  isSignature(authorization: string): boolean;
  /**
   * @param body all its bytes; empty: there is none
   * @throws Error when the secret of the key cannot be read: the node has another master key
   */
  ofRequest(head: SentHead, body: Uint8Array): Principal | ServiceError;
  /**
   * Null: the upgrade to WebSocket is not signed. To be called once for each upgrade, and when nothing else is in its way:
   * a signed URL is good once.
   * @throws Error as ofRequest
   */
  ofUpgrade(head: SentHead): Principal | ServiceError | null;
}
