import { Global, Module } from '@nestjs/common';
import { HEALTH_PARTS } from '../telemetry/health.js';
import { HealthRegistry } from './health-registry.js';
import { LiveController } from './live.http.js';
import { NodeStatus } from './node-status.js';
import { ReadyController } from './ready.http.js';
import { StatusController } from './status.http.js';

/** Global, because modules of lower floors register their parts too. */
@Global()
@Module({
  controllers: [LiveController, ReadyController, StatusController],
  providers: [HealthRegistry, NodeStatus, { provide: HEALTH_PARTS, useExisting: HealthRegistry }],
  exports: [HealthRegistry, HEALTH_PARTS],
})
export class HealthModule {}
