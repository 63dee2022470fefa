import type { Clock } from '../resilience/clock.js';
import type { ClusterKeys } from '../store/cluster-keys.js';
import type { ExternalIssuers } from './external-issuers.js';
import { AccessTokens } from './tokens/access-tokens.js';
import { DenialList } from './tokens/denial-list.js';
import type { LiveTokenPolicy } from './tokens/live-token-policy.js';
import type { TrustedIssuer } from './tokens/trusted-issuer.js';

/** Path of the keys of all parts below the cluster's own keys. */
export const TOKENS_PATH = 'tokens/';

export interface TokenAcceptanceParts {
  /** The cluster's own keys. */
  readonly keys: ClusterKeys;
  readonly policy: LiveTokenPolicy;
  readonly external: ExternalIssuers;
  readonly clock: Clock;
}

/** Everything by which access tokens are accepted and denied, whoever has issued them. */
export class TokenAcceptance {
  readonly denials: DenialList;
  readonly accessTokens: AccessTokens;
  readonly #stop = new AbortController();
  #own: readonly [TrustedIssuer] | null = null;

  constructor(private readonly parts: TokenAcceptanceParts) {
    const { policy, external, clock } = parts;
    this.denials = new DenialList(this.#keys, clock);
    const get = (url: string) => (url === this.#own?.[0].issuer ? this.#own : external.trusted.get(url));
    const issuers = { get };
    this.accessTokens = new AccessTokens({ issuers: () => issuers, denials: this.denials, rules: policy.rules, clock });
  }

  /** Accepts the tokens of this service, too. No errors. */
  trust(own: TrustedIssuer): void {
    this.#own = [own];
  }

  /**
   * Reads what is denied, and begins to follow it.
   * @throws ServiceError storageUnavailable, draining
   */
  async start(): Promise<void> {
    await this.denials.load();
    this.#keys.watch('', this.denials, this.#stop.signal);
  }

  /** Stops following; what is there stays. No errors. */
  close(): void {
    this.#stop.abort();
  }

  get #keys(): ClusterKeys {
    return this.parts.keys.under(TOKENS_PATH).under('denials/');
  }
}
