import { randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Clock } from '../../resilience/clock.js';
import type { DenialList } from './denial-list.js';
import type { SigningKeys } from './signing-keys.js';
import { TokenFault } from './token-fault.js';
import type { TokenClaims } from './token-claims.js';
import type { TokenRules } from './token-rules.js';
import type { TokenIdentity, TrustedIssuer } from './trusted-issuer.js';

const ALGORITHM = 'ES256';
const TYPE = 'at+jwt';

export interface OwnIssuerOptions {
  /** URL of this service as clients see it. */
  readonly issuer: string;
  readonly audience: string;
  readonly keys: SigningKeys;
  readonly denials: DenialList;
  readonly clock: Clock;
  /** The rules of a tenant. */
  rules(tenant: string): TokenRules;
}

/** What a new token says. */
export interface Grant extends TokenIdentity {
  readonly client: string;
}

export interface IssuedToken {
  readonly token: string;
  readonly id: string;
  /** Seconds, as `expires_in` of RFC 6749, 5.1. */
  readonly expiresIn: number;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** Issues access tokens by RFC 9068, and is the issuer that trusts them. */
export class OwnIssuer implements TrustedIssuer {
  readonly algorithms = [ALGORITHM];
  readonly types = [TYPE];
  readonly audiences: readonly string[];
  readonly issuer: string;

  constructor(private readonly options: OwnIssuerOptions) {
    this.issuer = options.issuer;
    this.audiences = [options.audience];
  }

  /**
   * A new access token. For a few seconds after all tokens of a principal were revoked it is refused: it could not be
   * told from them.
   * @throws Error before the signing keys are open
   */
  async issue({ tenant, principal, scopes, client, key = null }: Grant): Promise<IssuedToken | TokenFault> {
    const { keys, denials, clock, rules } = this.options;
    const id = randomUUID();
    const seconds = Math.floor(clock.now() / 1_000);
    const issuedAt = seconds * 1_000;
    if (denials.faultOf({ issuer: this.issuer, id, tenant, principal, issuedAt })) {
      return new TokenFault('revoked', 'all tokens were revoked a moment ago; try again in 5 s', 5);
    }
    const { kid, privateKey } = keys.current;
    const { ttl } = rules(tenant);
    const claims = { client_id: client, scope: scopes.join(' '), tenant, ...(key !== null && { umbra_key: key }) };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: TYPE })
      .setIssuer(this.issuer)
      .setAudience(this.options.audience)
      .setSubject(principal)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + ttl)
      .setJti(id)
      .sign(privateKey);
    return { token, id, expiresIn: ttl, expiresAt: issuedAt + ttl * 1_000 };
  }

  /** No errors. */
  async key({ kid }: { readonly kid?: string | undefined }) {
    return typeof kid === 'string' ? this.options.keys.find(kid) : null;
  }

  knows(kid: string | undefined): boolean {
    return this.options.keys.knows(kid);
  }

  identify({ subject, raw }: TokenClaims): TokenIdentity | null {
    const { tenant, scope, umbra_key: key } = raw;
    if (typeof tenant !== 'string' || typeof scope !== 'string') return null;
    const scopes = scope.split(' ').filter((name) => name !== '');
    return { tenant, principal: subject, scopes, key: typeof key === 'string' ? key : null };
  }
}
