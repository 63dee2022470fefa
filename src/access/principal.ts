/** Whoever is authenticated. */
export interface Principal {
  readonly id: string;
  readonly tenant: string;
}

/** Everybody, while the node listens on loopback without authentication. */
export const ANONYMOUS: Principal = { id: 'anonymous', tenant: 'default' };
