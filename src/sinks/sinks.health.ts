import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';
import { SinkManager } from './sink-manager.js';

/** Registers the health of the sinks of this node. */
@Injectable()
export class SinksHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, sinks: SinkManager) {
    parts.register('sinks', () => sinks.health);
  }
}
