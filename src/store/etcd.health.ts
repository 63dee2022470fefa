import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';
import { STORAGE, type Storage } from './storage.js';

/** Registers the health of the storage. */
@Injectable()
export class EtcdHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(STORAGE) storage: Storage) {
    parts.register('etcd', () => storage.health());
  }
}
