import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../../telemetry/health.js';
import { ExternalTransport } from './transport.js';

/** Registers the health of the external MQTT door. */
@Injectable()
export class BrokerHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(ExternalTransport) transport: ExternalTransport) {
    parts.register('broker', () => transport.health);
  }
}
