import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';
import { Presence } from './presence.js';

/** Registers the health of presence. */
@Injectable()
export class PresenceHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(Presence) presence: Presence) {
    parts.register('presence', () => presence.health);
  }
}
