import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../../telemetry/health.js';
import { MqttTransport } from './transport.js';

/** Registers the health of the built-in MQTT door. */
@Injectable()
export class MqttHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(MqttTransport) transport: MqttTransport) {
    parts.register('mqtt', () => transport.health);
  }
}
