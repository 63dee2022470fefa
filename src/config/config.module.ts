import { Module, type DynamicModule } from '@nestjs/common';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { CONFIG, type Config } from './config.js';

/** Provides the configuration, the clock and the log to every module. */
@Module({})
export class ConfigModule {
  static forRoot(config: Config, logger: Logger, clock: Clock): DynamicModule {
    return {
      module: ConfigModule,
      global: true,
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: LOGGER, useValue: logger },
        { provide: CLOCK, useValue: clock },
      ],
      exports: [CONFIG, LOGGER, CLOCK],
    };
  }
}
