import { TENANT_SESSION_LIMITS, type SessionLimits, type SessionShares } from '../access/session-limits.js';
import type { TenantLimits } from './request-limits.js';

/** Sessions at once; 0 is no limit. */
export interface SessionCounts {
  readonly sessions: number;
  readonly sessionsOfTenant: number;
  readonly connectionsOfAddress: number;
}

/** The limits of one node, and of the tenants whose records say other ones. */
export class TenantSessionLimits implements SessionLimits {
  constructor(
    private readonly counts: SessionCounts,
    private readonly tenants: Pick<TenantLimits, 'of'>,
  ) {}

  get connectionsOfAddress(): number {
    return this.counts.connectionsOfAddress;
  }

  of(tenant: string): SessionShares {
    const given = this.tenants.of(tenant);
    return {
      ofPrincipal: given?.get(TENANT_SESSION_LIMITS.principal) ?? this.counts.sessions,
      ofTenant: given?.get(TENANT_SESSION_LIMITS.tenant) ?? this.counts.sessionsOfTenant,
    };
  }
}
