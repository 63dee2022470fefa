import { Module, type DynamicModule } from '@nestjs/common';
import { AUDIT, NO_AUDIT, type Audit } from './audit.js';
import { AUTHENTICATOR, type Authenticator } from './authenticator.js';
import { AUTHORIZER, type Authorizer } from './authorizer.js';
import { IN_FLIGHT_LIMITS, NO_IN_FLIGHT_LIMITS, STREAM_LIMITS, type InFlightLimits } from './in-flight-limits.js';
import { OPEN_ACCESS } from './open-access.js';
import { NO_RATE_LIMITS, RATE_LIMITS, type RateLimits } from './rate-limits.js';
import { ALL_ROUTES, ROUTE_GUARD, type RouteGuard } from './route-guard.js';
import { NO_SESSION_LIMITS, type SessionLimits } from './session-limits.js';

/** Who says who a caller is, and what it may do; who keeps what came of it. */
export interface Access {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly audit: Audit;
  readonly limits: RateLimits;
  readonly inFlight: InFlightLimits;
  readonly streams: InFlightLimits;
  readonly sessions: SessionLimits;
  readonly routes: RouteGuard;
}

/** Injection token of all of Access, for doors that need most of it. */
export const ACCESS = Symbol('Access');

/** Gives every door those it has to ask. */
@Module({})
export class AccessModule {
  /** @param access none: the node has no authentication */
  static forRoot(access: Access = OPEN): DynamicModule {
    const { authenticator, authorizer, audit, limits, inFlight, streams, routes } = access;
    return {
      module: AccessModule,
      global: true,
      providers: [
        { provide: ACCESS, useValue: access },
        { provide: AUTHENTICATOR, useValue: authenticator },
        { provide: AUTHORIZER, useValue: authorizer },
        { provide: AUDIT, useValue: audit },
        { provide: RATE_LIMITS, useValue: limits },
        { provide: IN_FLIGHT_LIMITS, useValue: inFlight },
        { provide: STREAM_LIMITS, useValue: streams },
        { provide: ROUTE_GUARD, useValue: routes },
      ],
      exports: [ACCESS, AUTHENTICATOR, AUTHORIZER, AUDIT, RATE_LIMITS, IN_FLIGHT_LIMITS, STREAM_LIMITS, ROUTE_GUARD],
    };
  }
}

const OPEN: Access = {
  authenticator: OPEN_ACCESS,
  authorizer: OPEN_ACCESS,
  audit: NO_AUDIT,
  limits: NO_RATE_LIMITS,
  inFlight: NO_IN_FLIGHT_LIMITS,
  streams: NO_IN_FLIGHT_LIMITS,
  sessions: NO_SESSION_LIMITS,
  routes: ALL_ROUTES,
};
