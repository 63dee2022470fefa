import type { Audit, AuditActor } from '../access/audit.js';
import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { Logger } from '../telemetry/logger.js';
import { TOKENS_PATH, type TokenAcceptance } from './token-acceptance.js';
import type { AccessTokens } from './tokens/access-tokens.js';
import type { Presenter } from './tokens/client-binding.js';
import type { DenialList } from './tokens/denial-list.js';
import type { LiveTokenPolicy } from './tokens/live-token-policy.js';
import { OwnIssuer } from './tokens/own-issuer.js';
import { RefreshTokens, type ReuseReport } from './tokens/refresh-tokens.js';
import { SigningKeys } from './tokens/signing-keys.js';

/** Milliseconds that a key signs for. */
const ROTATION_MS = 30 * 86_400_000;
/** Milliseconds between two looks whether a rotation is due. */
const LOOK_MS = 3_600_000;

export interface TokenAuthorityParts {
  /** URL of this service as clients see it. */
  readonly issuer: string;
  /** The cluster's own keys. */
  readonly keys: ClusterKeys;
  /** 32 bytes. */
  readonly masterKey: Uint8Array;
  readonly policy: LiveTokenPolicy;
  /** Started and closed by the caller. */
  readonly acceptance: TokenAcceptance;
  readonly clock: Clock;
  readonly audit: Audit;
  readonly logger: Logger;
}

/** Everything by which the service issues and revokes tokens, and how it follows the other nodes. */
export class TokenAuthority {
  readonly denials: DenialList;
  readonly signingKeys: SigningKeys;
  readonly issuer: OwnIssuer;
  readonly accessTokens: AccessTokens;
  readonly refreshTokens: RefreshTokens;
  readonly #stop = new AbortController();
  #rotation: NodeJS.Timeout | null = null;

  /** @throws RangeError for a master key that has not 32 bytes */
  constructor(private readonly parts: TokenAuthorityParts) {
    const { issuer, keys, masterKey, policy, acceptance, clock } = parts;
    const { rules } = policy;
    const below = keys.under(TOKENS_PATH);
    this.denials = acceptance.denials;
    this.accessTokens = acceptance.accessTokens;
    this.signingKeys = new SigningKeys(below.under('signing/'), masterKey, clock);
    const own = { keys: this.signingKeys, denials: this.denials, clock, rules };
    this.issuer = new OwnIssuer({ ...own, issuer, audience: issuer });
    acceptance.trust(this.issuer);
    const onReuse = (report: ReuseReport): void => this.#reused(report);
    this.refreshTokens = new RefreshTokens({ keys: below.under('refresh/'), masterKey, clock, rules, onReuse });
  }

  /**
   * Reads the signing keys, and begins to follow them. Until then no token is issued.
   * @throws SigningRingError when the keys were sealed under another master key
   * @throws ServiceError storageUnavailable, storageFull, draining
   */
  async start(): Promise<void> {
    const below = this.parts.keys.under(TOKENS_PATH);
    await this.signingKeys.open();
    below.under('signing/').watch('', this.signingKeys, this.#stop.signal);
    this.#rotation = setInterval(() => this.#rotate(), LOOK_MS).unref();
  }

  /** Stops following; what is there stays. No errors. */
  close(): void {
    this.#stop.abort();
    if (this.#rotation !== null) clearInterval(this.#rotation);
  }

  #rotate(): void {
    this.signingKeys.rotateIfDue(ROTATION_MS).catch((error: unknown) => {
      this.parts.logger.warn({ err: error }, 'the signing keys could not be rotated; the next try is in an hour');
    });
  }

  /** Somebody has a token of somebody else, and perhaps access tokens too. */
  #reused({ tenant, principal, family, presenter }: ReuseReport): void {
    const { audit, logger } = this.parts;
    audit.record({
      ...{ action: 'token:reuse', actor: clientOf(presenter), tenant, target: `${principal}/${family}` },
      ...{ address: presenter.address, outcome: 'done', code: 'AUTH_108' },
    });
    logger.warn(
      { tenant, principal, address: presenter.address },
      'a refresh token was used again; its login is revoked',
    );
    this.denials.deny({ kind: 'principal', tenant, principal }).catch((error: unknown) => {
      logger.error(
        { err: error, tenant, principal },
        'access tokens of a revoked login could not be denied on all nodes',
      );
    });
  }
}

/** Who has presented a token, as `tenant/principal`. */
function clientOf({ client }: Presenter): AuditActor {
  const [tenant = '', id = ''] = client.split('/', 2);
  return { tenant, id };
}

/** Injection token of the TokenAuthority; null: no issuer is configured. */
export const TOKEN_AUTHORITY = Symbol('TokenAuthority');
