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

/** Part of what is configured that stays free for new clients, as far as there are old ones to forget. */
const FREE = 0.05;

/**
 * How many clients of which tenants are to be forgotten, so that new ones find room: together as many as there are beyond
 * the part that stays free. Tenants that have more than an equal share give, each by how much it has more. Pure.
 *
 * @param sizes clients of each tenant
 * @returns tenants that give none are not in it
 */
export function clientsBeyond(sizes: ReadonlyMap<string, number>, maxClients: number): Map<string, number> {
  const most = Math.floor(maxClients * (1 - FREE));
  const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const given = new Map<string, number>();
  if (all <= most) return given;
  const share = most / sizes.size;
  const over = [...sizes].filter(([, size]) => size > share).map(([tenant, size]) => [tenant, size - share] as const);
  const allOver = over.reduce((sum, [, more]) => sum + more, 0);
  for (const [tenant, more] of over) given.set(tenant, Math.ceil(((all - most) * more) / allOver));
  return given;
}
