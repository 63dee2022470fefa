/** An authenticated caller. */
export interface Principal {
  readonly id: string;
  readonly tenant: string;
}

/** The principal of every caller while the node has no authentication. */
export const ANONYMOUS: Principal = { id: 'anonymous', tenant: 'default' };
