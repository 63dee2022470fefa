import { Inject, Injectable } from '@nestjs/common';
import { EXTERNAL_ISSUERS, type ExternalIssuers } from '../auth/external-issuers.js';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';

/** Registers the health of the issuers whose tokens are accepted. */
@Injectable()
export class IssuersHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(EXTERNAL_ISSUERS) issuers: ExternalIssuers) {
    parts.register('issuers', () => issuers.health);
  }
}
