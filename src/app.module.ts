import { Module, type DynamicModule } from '@nestjs/common';
import { SYSTEM_CLOCK, type Clock } from './resilience/clock.js';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { HealthModule } from './health/health.module.js';
import { ExternalBrokerModule } from './mqtt/external/external.module.js';
import { MqttModule } from './mqtt/built-in/built-in.module.js';
import { ShadowModule } from './shadow/shadow.module.js';
import { StoreModule } from './store/store.module.js';
import type { Storage } from './store/storage.js';
import type { Logger } from './telemetry/logger.js';
import { ThingsModule } from './things/things.module.js';
import { WatchModule } from './watch/watch.module.js';

export interface AppParts {
  readonly config: Config;
  readonly logger: Logger;
  /** Opened already; closed by whoever opened it. */
  readonly storage: Storage;
  readonly clock?: Clock;
}

/** The only list of modules. */
@Module({})
export class AppModule {
  static forRoot({ config, logger, storage, clock = SYSTEM_CLOCK }: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config, logger, clock),
        StoreModule.forRoot(storage),
        WatchModule,
        HealthModule,
        MqttModule,
        ...(config.externalBroker === null ? [] : [ExternalBrokerModule]),
        ShadowModule,
        ThingsModule,
      ],
    };
  }
}
