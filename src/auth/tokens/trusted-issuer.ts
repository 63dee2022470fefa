import type { CompactJWSHeaderParameters, CryptoKey } from 'jose';
import type { KeyObject } from 'node:crypto';
import type { IssuerOrigin } from '../../access/principal.js';
import type { RoleName } from '../../access/roles.js';
import { TOKEN_ALGORITHMS } from '../../access/token-algorithms.js';
import type { TokenClaims } from './token-claims.js';
import type { TokenFault } from './token-fault.js';

/** Who a token speaks for. */
export interface TokenIdentity {
  readonly tenant: string;
  readonly principal: string;
  /** What the token may be used for, as its issuer names it. */
  readonly scopes: readonly string[];
  /** Id of the key that it was got with, and whose end ends it; null: there was none. */
  readonly key?: string | null;
  /** Built-in roles that the token gives. */
  readonly roles?: readonly RoleName[];
  /** Registration of the issuer; none: it is ours, and the principal has a record. */
  readonly origin?: IssuerOrigin;
}

/** An issuer whose tokens are accepted. */
export interface TrustedIssuer {
  /** Equal to the claim `iss`, character by character. */
  readonly issuer: string;
  /** One of them is in the claim `aud`. */
  readonly audiences: readonly string[];
  /** Of TOKEN_ALGORITHMS. The header of a token chooses none that is not here. */
  readonly algorithms: readonly string[];
  /** Values of the header `typ`, in lower case and without `application/`. */
  readonly types: readonly string[];
  /**
   * The key that verifies tokens with this header; null: there is none. It may fetch.
   * @throws Error when the key set has several that fit, or none can be had
   */
  key(header: CompactJWSHeaderParameters): Promise<CryptoKey | KeyObject | null>;
  /** Whether tokens that a key of this kid has verified are still accepted. It must not wait. No errors. */
  knows(kid: string | undefined): boolean;
  /** Who the claims speak for; null: nobody of ours; a fault says why. No errors. */
  identify(claims: TokenClaims): TokenIdentity | TokenFault | null;
}

/**
 * Those whose tokens are accepted, by their `iss`. One URL may be registered for several audiences, perhaps by several
 * tenants: a token must be for exactly one of them.
 */
export type TrustedIssuers = Pick<ReadonlyMap<string, readonly TrustedIssuer[]>, 'get'>;

/** @throws RangeError when the issuer is trusted with nothing, or with an algorithm that proves nothing */
export function checkIssuer({ issuer, audiences, algorithms }: TrustedIssuer): void {
  const wrong = algorithms.find((name) => !(TOKEN_ALGORITHMS as readonly string[]).includes(name));
  if (wrong !== undefined) {
    throw new RangeError(
      `The issuer ${issuer} cannot be trusted with ${wrong}; use some of ${TOKEN_ALGORITHMS.join(', ')}`,
    );
  }
  if (algorithms.length === 0) throw new RangeError(`The issuer ${issuer} needs an algorithm`);
  if (audiences.length === 0) throw new RangeError(`The issuer ${issuer} needs an audience`);
}
