import { Inject, Injectable } from '@nestjs/common';
import { HealthRegistry } from '../../health/health-registry.js';
import { MqttTransport } from './transport.js';

/** Registers the health of the built-in MQTT door. */
@Injectable()
export class MqttHealth {
  constructor(@Inject(HealthRegistry) registry: HealthRegistry, @Inject(MqttTransport) transport: MqttTransport) {
    registry.register('mqtt', () => transport.health);
  }
}
