import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';
import { WATCH_HUB, type WatchHub } from './subscription.js';

/** Registers the health of the hub: whether changes arrive from the store. */
@Injectable()
export class FeedHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(WATCH_HUB) hub: WatchHub) {
    parts.register('feed', () => hub.health);
  }
}
