import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/config.js';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { SHADOW_STORE, type ShadowStore } from '../../store/shadow-store.js';
import { PreviousDocuments } from '../previous-documents.js';
import { RequestAnswerer } from '../request-answerer.js';
import { RequestHandlers } from '../request-handlers.js';
import { BrokerHealth } from './broker.health.js';
import { ExternalCoordinator } from './coordinator.js';
import { ExternalTransport } from './transport.js';

/** The second MQTT door, present when a broker is configured. It calls the same handlers as the built-in one. */
@Module({
  providers: [
    ExternalCoordinator,
    ExternalTransport,
    RequestHandlers,
    RequestAnswerer,
    BrokerHealth,
    {
      provide: PreviousDocuments,
      inject: [CONFIG, CLOCK, SHADOW_STORE],
      // Readers of `documents` are unknown here, so every shadow counts as read.
      useFactory: (config: Config, clock: Clock, store: ShadowStore) =>
        new PreviousDocuments(config, clock, store, config.cacheEntries),
    },
  ],
  exports: [ExternalTransport],
})
export class ExternalBrokerModule {}
