import type { RoleName } from './roles.js';

/** By what a certificate is revoked, beside its own id and its thing. */
export interface CertificateOrigin {
  /** Id of the other certificate that can be made of it without a key; null: none can. */
  readonly twinId: string | null;
  /** SHA-256 of the certificate of its authority, in hex. */
  readonly authority: string;
  /** SHA-256 of the public key of its authority, in hex. */
  readonly authorityKey: string;
}

/** By which registration of an issuer a principal is known that needs no record of its own. */
export interface IssuerOrigin {
  readonly name: string;
  /** Of its record: what another one says would make it another principal. */
  readonly revision: number;
}

/** An authenticated caller, for as long as its credential holds. */
export interface Principal {
  /** Unique within its tenant. Changes of shadows carry it. */
  readonly id: string;
  readonly tenant: string;
  /** The thing whose credential it is; none: of no thing. */
  readonly thing?: string;
  /** SHA-256 of its certificate in hex; none: it showed no certificate. */
  readonly certificateId?: string;
  /** Where its certificate comes from; none: it showed no certificate. */
  readonly certificate?: CertificateOrigin;
  /** Whose token it showed; none: it has a record of its own. */
  readonly issuer?: IssuerOrigin;
  /** Its credential, for revocation; none: nobody was asked for one. */
  readonly credential?: string;
  /** Built-in roles that its credential gives, beside those of its record. */
  readonly roles?: readonly RoleName[];
  /** Actions that its credential is limited to, as access/scopes.ts reads them; none: all that policies allow. */
  readonly scopes?: readonly string[];
  /** Milliseconds since 1970 at which its credential ends; none: it does not end by itself. */
  readonly expiresAt?: number;
  /** A newer credential of the same kind can take its place while a connection goes on; none: it has to connect again. */
  readonly isRenewable?: true;
  /** Milliseconds since 1970 from which its credential is accepted by grace alone, and has to be renewed; none: never. */
  readonly graceFrom?: number;
}

/** The principal of every caller while the node has no authentication. */
export const ANONYMOUS: Principal = { id: 'anonymous', tenant: 'default' };
