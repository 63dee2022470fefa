/** Clients that are remembered. */
export interface Remembered {
  /** Of all tenants. */
  readonly all: number;
  /** Tenants that have any. */
  readonly tenants: number;
  /** Of the tenant of a new client. */
  readonly own: number;
}

/** Of what is configured, for tenants that have less than their share. */
const LIMIT_FACTOR = 2;

/**
 * Whether a new client is recorded. When there are as many as are configured, only those of tenants that have less than an
 * equal share are: a tenant whose clients change their identifiers keeps nobody else's from being recorded. Pure.
 */
export function hasRoom({ all, tenants, own }: Remembered, maxClients: number): boolean {
  if (all < maxClients) return true;
  const sharers = own === 0 ? tenants + 1 : tenants;
  return all < LIMIT_FACTOR * maxClients && own < maxClients / sharers;
}
