import { ServiceError } from '../errors/service-error.js';
import type { Principal } from './principal.js';

/** Of what requests are counted. */
export type LimitedBy = 'thing' | 'principal' | 'tenant';

/** Members of `limits` of a tenant's record: requests a second, 0 is no limit. Without them the node's own count. */
export const TENANT_LIMITS: Readonly<Record<LimitedBy, string>> = {
  thing: 'requestsPerSecondOfThing',
  principal: 'requestsPerSecondOfPrincipal',
  tenant: 'requestsPerSecond',
};

/** A request that came too soon after too many others. */
export class RateExceeded extends ServiceError {
  /** @param perSecond requests a second that are served */
  constructor(
    readonly by: LimitedBy,
    readonly perSecond: number,
  ) {
    super('rateExceeded', `${perSecond} a second of this ${by}`);
  }
}

/** Counts requests that policies allow, against what the caller, its tenant and the thing may have. */
export interface RateLimits {
  /** Counts one. @param thing none: it is about no single thing. @returns null: go on. No errors. */
  take(principal: Principal, thing: string | null): RateExceeded | null;
}

/** Injection token of the RateLimits. */
export const RATE_LIMITS = Symbol('RateLimits');

/** Of a node without authentication: development on loopback. */
export const NO_RATE_LIMITS: RateLimits = { take: () => null };
