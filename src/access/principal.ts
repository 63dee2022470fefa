import type { RoleName } from './roles.js';

/** An authenticated caller, for as long as its credential holds. */
export interface Principal {
  /** Unique within its tenant. Changes of shadows carry it. */
  readonly id: string;
  readonly tenant: string;
  /** The thing whose credential it is; none: of no thing. */
  readonly thing?: string;
  /** SHA-256 of its certificate in hex; none: it showed no certificate. */
  readonly certificateId?: string;
  /** Its credential, for revocation; none: nobody was asked for one. */
  readonly credential?: string;
  /** Built-in roles that its credential gives, beside those of its record. */
  readonly roles?: readonly RoleName[];
  /** Actions that its credential is limited to, as access/scopes.ts reads them; none: all that policies allow. */
  readonly scopes?: readonly string[];
  /** Milliseconds since 1970 at which its credential ends; none: it does not end by itself. */
  readonly expiresAt?: number;
}

/** The principal of every caller while the node has no authentication. */
export const ANONYMOUS: Principal = { id: 'anonymous', tenant: 'default' };
