import { Module, type DynamicModule } from '@nestjs/common';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, Metrics } from '../telemetry/metrics.js';
import { SAMPLER } from '../telemetry/sampling.js';
import { TRACER, Tracer } from '../telemetry/tracer.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from './config.js';

/** Provides the configuration, the clock, the log, the metrics and the traces to every module. */
@Module({})
export class ConfigModule {
  static forRoot(
    config: Config,
    logger: Logger,
    clock: Clock,
    metrics = new Metrics(),
    tracer = new Tracer({ metrics: metrics.traces, clock }),
  ): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: CLOCK, useValue: clock },
        { provide: METRICS, useValue: metrics },
        { provide: TRACER, useValue: tracer },
        { provide: SAMPLER, useValue: tracer.sampler },
      ],
      exports: [CONFIG, LOGGER, CLOCK, METRICS, TRACER, SAMPLER],
    };
  }
}
