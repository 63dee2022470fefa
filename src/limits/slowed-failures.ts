import { hash } from 'node:crypto';
import type { Authenticator, Credentials, Identity } from '../access/authenticator.js';
import type { FailureLimits } from '../access/failure-limits.js';
import { networkOf } from '../access/network-of.js';
import type { RequestSignatures } from '../access/request-signatures.js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import { TokenBuckets } from './token-buckets.js';

/** Networks that are told apart; about 100 bytes each. */
const MAX_NETWORKS = 50_000;
/** Names that are told apart, whether or not there is somebody of that name. */
const MAX_CLAIMED = 50_000;
/** Failures a second of one network or for one name, once those that it may have at once are used up. */
const PER_SECOND = 1;

/** Who has proven that a credential is its own does not guess. */
const NO_GUESSES: ReadonlySet<ServiceErrorCode> = new Set([
  'credentialsExpired',
  'credentialsNotYetValid',
  'credentialsRevoked',
  'tenantDisabled',
]);

/**
 * Slows down those who guess: a network that has failed too often gets no other answer than that, whatever was wrong,
 * and neither does anybody who fails for a name for which many have failed, from wherever.
 * Good credentials are looked at first, which takes microseconds, so nobody is locked out by others behind the same
 * address. What takes long to look at, such as a password, has to ask `isSlowed` before.
 */
export class SlowedFailures implements Authenticator, FailureLimits {
  readonly #networks = new TokenBuckets(MAX_NETWORKS);
  readonly #claimed = new TokenBuckets(MAX_CLAIMED);

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

  counted(identity: Identity, address: string, claimed: string | null): Identity {
    if (this.most === 0 || !isFailure(identity)) return identity;
    const now = this.clock.monotonic();
    const network = this.#networks.of(networkOf(address));
    // A name may be as long as a body, and is not kept.
    const name = claimed === null ? null : this.#claimed.of(hash('sha256', claimed, 'base64'));
    const isOver = [network, name].some((bucket) => bucket?.has(now, PER_SECOND, this.most) === false);
    if (isOver) return new ServiceError('tooManyFailures');
    network.take();
    name?.take();
    return identity;
  }

  #counted(identity: Identity, { address, bearer, password, certificate }: Credentials): Identity {
    // Who shows nothing at all asks what to show.
    if (bearer === null && password === null && certificate === null) return identity;
    return this.counted(identity, address, null);
  }
}

function isFailure(identity: Identity): boolean {
  return identity instanceof ServiceError && identity.status === 401 && !NO_GUESSES.has(identity.code);
}
