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

/** A token for one generation of the records of access, until it ends. */
interface Known {
  readonly generation: number;
  readonly principal: Principal;
  /** null: what it stands for is there and enabled. */
  readonly fault: 'tenantDisabled' | 'credentialsRevoked' | null;
}

/** Knows callers by access tokens: as the token of `Bearer`, or the password of MQTT. */
export class AccessTokenCredentials implements CredentialKind {
  readonly #known = new WeakMap<VerifiedToken, Known>();

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
    const before = this.#known.get(verified);
    const known = before?.generation === generation ? before : this.#judged(verified, generation);
    const { principal, fault } = known;
    if ((principal.expiresAt ?? Infinity) <= this.clock.now()) return new ServiceError('credentialsExpired');
    return fault === null ? principal : new ServiceError(fault);
  }

  #judged(verified: VerifiedToken, generation: number): Known {
    const principal = this.#principalOf(verified);
    const known = { generation, principal, fault: this.#faultOf(principal, verified.key ?? null) };
    this.#known.set(verified, known);
    return known;
  }

  /** Said only to who has shown the token. */
  #faultOf(principal: Principal, key: string | null): Known['fault'] {
    if (this.directory.get('tenant', principal.tenant)?.record.isDisabled !== false) return 'tenantDisabled';
    const isThere = principalStands(this.directory, principal);
    const holds = isThere && (key === null || keyStands(this.directory, principal, key, this.clock.now()));
    return holds ? null : 'credentialsRevoked';
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
