import type { IssuerKeys } from './issuer-keys.js';
import type { TokenClaims } from './token-claims.js';
import { checkIssuer, type TokenIdentity, type TrustedIssuer } from './trusted-issuer.js';

export interface ExternalIssuerOptions {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly keys: IssuerKeys;
  /** Who the claims speak for; null: nobody of ours. It must not throw. */
  identify(claims: TokenClaims): TokenIdentity | null;
}

/**
 * An issuer that is not ours, by its published keys.
 * @throws RangeError when it is trusted with nothing, or with an algorithm that proves nothing
 */
export function externalIssuer({
  issuer,
  audiences,
  algorithms,
  keys,
  identify,
}: ExternalIssuerOptions): TrustedIssuer {
  const trusted: TrustedIssuer = {
    issuer,
    audiences,
    algorithms,
    types: ['at+jwt', 'jwt'],
    key: (header) => keys.find(header),
    knows: (kid) => keys.knows(kid),
    identify,
  };
  checkIssuer(trusted);
  return trusted;
}
