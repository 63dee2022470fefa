import type { TenantSessions } from './tenant-sessions.js';

/** Sessions that may end before the tenants are looked through once more, and of how many tenants at least one may. */
const AT_ONCE = 64;
const TENANTS_A_SESSION = 16;

/** Finds whose session is to end when the node has no room: that of the tenant which has most of something. */
export class LargestTenant {
  #found: TenantSessions | null = null;
  /** Sessions that may end before it is looked for again: ten thousand tenants take 0.1 ms. */
  #left = 0;

  constructor(private readonly sizeOf: (tenant: TenantSessions) => number) {}

  /**
   * The tenant that has most, about, among those with a session that is away. Null: there is none, or `newcomer` has more
   * than that one: nobody gives way to somebody larger. No errors.
   * @param newcomer who needs the room; null: nobody in particular
   */
  of(tenants: ReadonlyMap<string, TenantSessions>, newcomer: TenantSessions | null): TenantSessions | null {
    if (this.#left-- > 0 && this.#gives(newcomer)) return this.#found;
    this.#found = null;
    for (const each of tenants.values()) {
      if (each.away.first === null) continue;
      if (this.#found === null || this.sizeOf(each) > this.sizeOf(this.#found)) this.#found = each;
    }
    this.#left = Math.min(AT_ONCE, Math.floor(tenants.size / TENANTS_A_SESSION));
    return this.#gives(newcomer) ? this.#found : null;
  }

  #gives(newcomer: TenantSessions | null): boolean {
    const found = this.#found;
    if (found === null || found.away.first === null) return false;
    return newcomer === null || this.sizeOf(found) >= this.sizeOf(newcomer);
  }
}
