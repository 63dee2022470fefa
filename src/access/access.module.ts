import { Module, type DynamicModule } from '@nestjs/common';
import { AUDIT, NO_AUDIT, type Audit } from './audit.js';
import { AUTHENTICATOR, type Authenticator } from './authenticator.js';
import { AUTHORIZER, type Authorizer } from './authorizer.js';
import { OPEN_ACCESS } from './open-access.js';
import { NO_RATE_LIMITS, RATE_LIMITS, type RateLimits } from './rate-limits.js';

/** Who says who a caller is, and what it may do; who keeps what came of it. */
export interface Access {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly audit: Audit;
  readonly limits: RateLimits;
}

/** Gives every door those it has to ask. */
@Module({})
export class AccessModule {
  /** @param access none: the node has no authentication */
  static forRoot({ authenticator, authorizer, audit, limits }: Access = OPEN): DynamicModule {
    return {
      module: AccessModule,
      global: true,
      providers: [
        { provide: AUTHENTICATOR, useValue: authenticator },
        { provide: AUTHORIZER, useValue: authorizer },
        { provide: AUDIT, useValue: audit },
        { provide: RATE_LIMITS, useValue: limits },
      ],
      exports: [AUTHENTICATOR, AUTHORIZER, AUDIT, RATE_LIMITS],
    };
  }
}

const OPEN: Access = {
  authenticator: OPEN_ACCESS,
  authorizer: OPEN_ACCESS,
  audit: NO_AUDIT,
  limits: NO_RATE_LIMITS,
};
