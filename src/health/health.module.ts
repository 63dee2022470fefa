import { Module } from '@nestjs/common';
import { HealthRegistry } from './health-registry.js';
import { LiveController } from './live.http.js';
import { ReadyController } from './ready.http.js';

@Module({ controllers: [LiveController, ReadyController], providers: [HealthRegistry], exports: [HealthRegistry] })
export class HealthModule {}
