import { Inject, Injectable } from '@nestjs/common';
import { HEALTH_PARTS, type HealthParts } from '../telemetry/health.js';
import { ACCESS_DIRECTORY, type AccessDirectory } from './access-directory.js';

/** Registers the health of the records of access. */
@Injectable()
export class DirectoryHealth {
  constructor(@Inject(HEALTH_PARTS) parts: HealthParts, @Inject(ACCESS_DIRECTORY) directory: AccessDirectory) {
    parts.register('access', () => directory.health);
  }
}
