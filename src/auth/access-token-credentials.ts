import type { Credentials, Identity } from '../access/authenticator.js';
import type { Principal } from '../access/principal.js';
import type { AccessDirectory } from '../directory/access-directory.js';
import { keyStands, principalStands } from '../directory/standing.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import type { CredentialKind } from './credential-kinds.js';
import { faultError } from './fault-error.js';
import { tokenCredential } from './token-standing.js';
import type { AccessTokens, VerifiedToken } from './tokens/access-tokens.js';
import { TokenFault } from './tokens/token-fault.js';

/** The beginning of every JWT: base64url of the brace and the quote that begin its header. */
const JWT_BEGIN = 'eyJ';

/** Knows callers by access tokens: as the token of `Bearer`, or the password of MQTT. */
export class AccessTokenCredentials implements CredentialKind {
  readonly #known = new WeakMap<VerifiedToken, { readonly generation: number; readonly principal: Principal }>();

  constructor(
    private readonly directory: AccessDirectory,
    private readonly tokens: AccessTokens,
    private readonly clock: Clock,
  ) {}

  identify({ bearer, password }: Credentials): Identity | Promise<Identity> | null {
    const shown = bearer ?? password;
    if (!shown?.startsWith(JWT_BEGIN)) return null;
    const known = this.tokens.recall(shown);
    if (known !== null) return this.#identityOf(known);
    return this.tokens.verify(shown).then(
      (verified) => this.#identityOf(verified),
      (error: unknown) => (error instanceof ServiceError ? error : new ServiceError('internal')),
    );
  }

  #identityOf(verified: VerifiedToken | TokenFault): Identity {
    if (verified instanceof TokenFault) return faultError(verified);
    const { generation } = this.directory;
    const known = this.#known.get(verified);
    const principal = known?.generation === generation ? known.principal : this.#principalOf(verified);
    if (known?.principal !== principal) this.#known.set(verified, { generation, principal });
    return this.#faultOf(principal, verified.key ?? null) ?? principal;
  }

  /** Said only to who has shown the token. */
  #faultOf(principal: Principal, key: string | null): ServiceError | null {
    const { tenant, expiresAt = Infinity } = principal;
    const now = this.clock.now();
    if (expiresAt <= now) return new ServiceError('credentialsExpired');
    if (this.directory.get('tenant', tenant)?.record.isDisabled !== false) return new ServiceError('tenantDisabled');
    if (!principalStands(this.directory, principal)) return new ServiceError('credentialsRevoked');
    if (key !== null && !keyStands(this.directory, principal, key, now)) return new ServiceError('credentialsRevoked');
    return null;
  }

  #principalOf(verified: VerifiedToken): Principal {
    const { tenant, principal: id, scopes, key = null, roles, origin } = verified;
    const thing = this.directory.get('principal', tenant, id)?.record.thing ?? null;
    const keyEndsAt = key === null ? null : this.directory.get('key', key)?.record.expiresAtMs;
    const expiresAt = Math.min(this.tokens.endsAt(verified), keyEndsAt ?? Infinity);
    const hasGrace = expiresAt > verified.expiresAt;
    return {
      ...{ id, tenant, credential: tokenCredential(verified), scopes, expiresAt, isRenewable: true },
      ...(hasGrace && { graceFrom: verified.expiresAt }),
      ...(thing !== null && { thing }),
      ...(roles && { roles }),
      ...(origin && { issuer: origin }),
    };
  }
}
