import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';
import { BREAKERS, type Breakers } from './breakers.js';

/** Registers the health of the dependencies behind breakers. */
@Injectable()
export class BreakersHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(BREAKERS) breakers: Breakers) {
    parts.register('dependencies', () => breakers.health);
  }
}
