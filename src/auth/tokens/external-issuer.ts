import { ServiceError } from '../../errors/service-error.js';
import type { IssuerKeys } from './issuer-keys.js';
import type { TokenClaims } from './token-claims.js';
import type { TokenFault } from './token-fault.js';
import { checkIssuer, type TokenIdentity, type TrustedIssuer } from './trusted-issuer.js';

export interface ExternalIssuerOptions {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly keys: IssuerKeys;
  /** Who the claims speak for. It must not throw. */
  identify(claims: TokenClaims): TokenIdentity | TokenFault;
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
    key: async (header) => {
      const key = await keys.find(header);
      // A token that nothing can be said of is not refused: whoever has it would throw it away.
      if (key === null && keys.size === null) throw new ServiceError('issuerUnavailable');
      return key;
    },
    knows: (kid) => keys.knows(kid),
    identify,
  };
  checkIssuer(trusted);
  return trusted;
}
