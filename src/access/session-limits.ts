import { ServiceError } from '../errors/service-error.js';

/** Of what MQTT connections and sessions are counted. */
export type SessionsOf = 'principal' | 'tenant' | 'address';

/** Members of `limits` of a tenant's record: sessions, 0 is no limit. Without them the node's own count. */
export const TENANT_SESSION_LIMITS: Readonly<Record<Exclude<SessionsOf, 'address'>, string>> = {
  principal: 'sessionsOfPrincipal',
  tenant: 'sessions',
};

/** A connection too many beside those that are open, and the sessions that are kept. */
export class TooManySessions extends ServiceError {
  /** @param most that are served at once */
  constructor(by: SessionsOf, most: number) {
    super('tooManySessions', `${most} of one ${by}`);
  }
}

/** What one tenant may have on one node; 0: any number. */
export interface SessionShares {
  readonly ofPrincipal: number;
  readonly ofTenant: number;
}

/** Bounds MQTT sessions, those of clients that are connected and those that are kept for clients that are away. */
export interface SessionLimits {
  /** Most connections of one network (access/network-of.ts), whoever they are of; 0: any number. */
  readonly connectionsOfAddress: number;
  /** No errors. */
  of(tenant: string): SessionShares;
}

const ANY_NUMBER: SessionShares = { ofPrincipal: 0, ofTenant: 0 };

/** Of a node without authentication: development on loopback. */
export const NO_SESSION_LIMITS: SessionLimits = { connectionsOfAddress: 0, of: () => ANY_NUMBER };
