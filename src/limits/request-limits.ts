import type { Principal } from '../access/principal.js';
import { RateExceeded, TENANT_LIMITS, type LimitedBy, type RateLimits } from '../access/rate-limits.js';
import type { Clock } from '../resilience/clock.js';
import type { TokenBucket } from './token-bucket.js';
import { TokenBuckets } from './token-buckets.js';

/** About 100 bytes each. */
const MAX_THINGS = 200_000;
const MAX_PRINCIPALS = 100_000;
const MAX_TENANTS = 20_000;

/** Requests a second; 0 is no limit. */
export type Rates = Readonly<Record<LimitedBy, number>>;

/** What tenants may have, as their records say. */
export interface TenantLimits {
  /** Rises with every change of a record. */
  readonly generation: number;
  /** By the names of TENANT_LIMITS; undefined: there is no such tenant. */
  of(tenant: string): ReadonlyMap<string, number> | undefined;
}

/** What is known of a caller for one generation of the records. */
interface Caller {
  readonly generation: number;
  readonly rates: Rates;
  readonly own: TokenBucket;
  readonly tenant: TokenBucket;
  /** The thing that it asked for last, mostly its own: to look its bucket up takes longer than all else. */
  thing: string | null;
  ofThing: TokenBucket;
}

/** The limits of one node: n nodes together serve n times as many. */
export class RequestLimits implements RateLimits {
  readonly #callers = new WeakMap<Principal, Caller>();
  readonly #things = new TokenBuckets(MAX_THINGS);
  readonly #principals = new TokenBuckets(MAX_PRINCIPALS);
  readonly #tenants = new TokenBuckets(MAX_TENANTS);

  constructor(
    private readonly rates: Rates,
    private readonly tenants: TenantLimits,
    private readonly clock: Clock,
  ) {}

  take(principal: Principal, thing: string | null): RateExceeded | null {
    const known = this.#callers.get(principal);
    const caller = known?.generation === this.tenants.generation ? known : this.#remembered(principal);
    const { rates } = caller;
    const ofThing = thing !== null && rates.thing > 0 ? this.#ofThing(caller, principal, thing) : null;
    const own = rates.principal > 0 ? caller.own : null;
    const ofTenant = rates.tenant > 0 ? caller.tenant : null;
    const now = this.clock.monotonic();
    // Nothing is taken of one for a request that another refuses.
    if (ofThing !== null && !ofThing.has(now, rates.thing)) return new RateExceeded('thing', rates.thing);
    if (own !== null && !own.has(now, rates.principal)) return new RateExceeded('principal', rates.principal);
    if (ofTenant !== null && !ofTenant.has(now, rates.tenant)) return new RateExceeded('tenant', rates.tenant);
    ofThing?.take();
    own?.take();
    ofTenant?.take();
    return null;
  }

  #ofThing(caller: Caller, { tenant }: Principal, thing: string): TokenBucket {
    if (caller.thing !== thing) {
      caller.thing = thing;
      caller.ofThing = this.#things.of(`${tenant}/${thing}`);
    }
    return caller.ofThing;
  }

  #remembered(principal: Principal): Caller {
    const { tenant, id } = principal;
    const given = this.tenants.of(tenant);
    const rateOf = (by: LimitedBy): number => given?.get(TENANT_LIMITS[by]) ?? this.rates[by];
    const own = this.#principals.of(`${tenant}/${id}`);
    const caller: Caller = {
      generation: this.tenants.generation,
      rates: { thing: rateOf('thing'), principal: rateOf('principal'), tenant: rateOf('tenant') },
      own,
      tenant: this.#tenants.of(tenant),
      thing: null,
      ofThing: own,
    };
    this.#callers.set(principal, caller);
    return caller;
  }
}
