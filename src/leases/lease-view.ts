import type { Lease, LiveLease } from './lease-table.js';
import type { LeaseView, TakenLease } from './leases.openapi.js';

export function leaseView({ id, token, record }: Lease): LeaseView {
  const { principal, things, ttlSeconds, exclusive, createdAtMs } = record;
  const createdAt = new Date(createdAtMs).toISOString();
  return { lease: id, token, principal, things: [...things], ttlSeconds, exclusive, createdAt };
}

export function takenLease(lease: LiveLease): TakenLease {
  return { ...leaseView(lease), expiresAt: new Date(lease.expiresAtMs).toISOString() };
}
