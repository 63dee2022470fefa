import type { Authenticator, Credentials, Identity } from '../access/authenticator.js';
import { networkOf } from '../access/network-of.js';
import type { RequestSignatures } from '../access/request-signatures.js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import { TokenBuckets } from './token-buckets.js';

/** Networks that are told apart; about 100 bytes each. */
const MAX_NETWORKS = 50_000;
/** Failures a second of one network, once it has used up those that it may have at once. */
const PER_SECOND = 1;

/** Who has proven that a credential is its own does not guess. */
const NO_GUESSES: ReadonlySet<ServiceErrorCode> = new Set([
  'credentialsExpired',
  'credentialsNotYetValid',
  'credentialsRevoked',
  'tenantDisabled',
]);

/**
 * Slows down those who guess: a network that has failed too often gets no other answer than that, whatever was wrong.
 * Good credentials are looked at first, which takes microseconds, so nobody is locked out by others behind the same
 * address. What takes long to look at, such as a password, has to ask `isSlowed` before.
 */
export class SlowedFailures implements Authenticator {
  readonly #networks = new TokenBuckets(MAX_NETWORKS);

  /** @param most failures at once; 0: as many as they like */
  constructor(
    private readonly inner: Authenticator,
    private readonly most: number,
    private readonly clock: Clock,
  ) {}

  get isRequired(): boolean {
    return this.inner.isRequired;
  }

  /** They are not slowed: the secrets that sign are random, and nobody guesses one of 240 bits. */
  get signatures(): RequestSignatures | null {
    return this.inner.signatures;
  }

  /** Whether failures from there are not looked at any more for now. No errors. */
  isSlowed(address: string): boolean {
    if (this.most === 0) return false;
    return !this.#networks.of(networkOf(address)).has(this.clock.monotonic(), PER_SECOND, this.most);
  }

  authenticate(credentials: Credentials): Identity | Promise<Identity> {
    const identity = this.inner.authenticate(credentials);
    if (identity instanceof Promise) return identity.then((known) => this.#counted(known, credentials));
    return this.#counted(identity, credentials);
  }

  #counted(identity: Identity, { address, bearer, password, certificate }: Credentials): Identity {
    if (!(identity instanceof ServiceError) || identity.status !== 401 || NO_GUESSES.has(identity.code))
      return identity;
    // Who shows nothing at all asks what to show.
    if (this.most === 0 || (bearer === null && password === null && certificate === null)) return identity;
    if (this.isSlowed(address)) return new ServiceError('tooManyFailures');
    this.#networks.of(networkOf(address)).take();
    return identity;
  }
}
