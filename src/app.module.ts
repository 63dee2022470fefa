import { Inject, Module, Optional, type DynamicModule } from '@nestjs/common';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { HealthModule } from './health/health.module.js';
import { HealthRegistry } from './health/health-registry.js';
import { MqttModule } from './mqtt/built-in/built-in.module.js';
import { MqttTransport } from './mqtt/built-in/transport.js';
import { ExternalBrokerModule } from './mqtt/external/external.module.js';
import { ExternalTransport } from './mqtt/external/transport.js';
import { SYSTEM_CLOCK, type Clock } from './resilience/clock.js';
import { ShadowModule } from './shadow/shadow.module.js';
import { StoreModule } from './store/store.module.js';
import type { Storage } from './store/storage.js';
import type { Logger } from './telemetry/logger.js';
import { ThingsModule } from './things/things.module.js';
import { WATCH_HUB, type WatchHub } from './watch/subscription.js';
import { WatchModule } from './watch/watch.module.js';

export interface AppParts {
  readonly config: Config;
  readonly logger: Logger;
  /** Already open. The caller closes it. */
  readonly storage: Storage;
  readonly clock?: Clock;
}

/** The only list of modules, and the parts of them that the node starts and ends in order. */
@Module({})
export class AppModule {
  constructor(
    @Inject(HealthRegistry) readonly health: HealthRegistry,
    @Inject(WATCH_HUB) readonly hub: WatchHub,
    @Inject(MqttTransport) readonly mqtt: MqttTransport,
    /** Absent without an external broker. */
    @Optional() @Inject(ExternalTransport) readonly external?: ExternalTransport,
  ) {}

  static forRoot({ config, logger, storage, clock = SYSTEM_CLOCK }: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forRoot(config, logger, clock),
        HealthModule,
        StoreModule.forRoot(storage),
        WatchModule,
        MqttModule,
        ...(config.externalBroker === null ? [] : [ExternalBrokerModule]),
        ShadowModule,
        ThingsModule,
      ],
    };
  }
}
