import type { ServiceError } from '../errors/service-error.js';
import type { Principal } from './principal.js';
import type { RequestSignatures } from './request-signatures.js';

/** What a client shows to prove who it is. Everything else about it, such as a topic or a header, proves nothing. */
export interface Credentials {
  /** Of MQTT, as sent; `null`: none. */
  readonly userName: string | null;
  /** Of MQTT; `null`: none. */
  readonly password: string | null;
  /** Of `Authorization: Bearer`; `null`: none. */
  readonly bearer: string | null;
  /** DER of the certificate of its TLS connection, the same object for each request that comes over it; `null`: none. */
  readonly certificate: Buffer | null;
  /** IP address of the peer. */
  readonly address: string;
}

/** Who the caller is, or why that is not known: an error of the rows for credentials. */
export type Identity = Principal | ServiceError;

/** Says who a caller is. Every door asks it; none knows who answers. */
export interface Authenticator {
  /** Whether callers need credentials: else everybody is ANONYMOUS. */
  readonly isRequired: boolean;
  /** Knows callers that sign their requests; null: this node takes no signatures, and ignores them. */
  readonly signatures: RequestSignatures | null;
  /** At once where nothing has to be computed or looked up elsewhere. Never rejects. */
  authenticate(credentials: Credentials): Identity | Promise<Identity>;
}

/** Injection token of the Authenticator. */
export const AUTHENTICATOR = Symbol('Authenticator');
