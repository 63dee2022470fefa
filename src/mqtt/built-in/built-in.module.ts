import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '../../config/config.js';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { SHADOW_STORE, type ShadowStore } from '../../store/shadow-store.js';
import { WatchModule } from '../../watch/watch.module.js';
import { MqttBroker } from './broker.js';
import { CurrentDeltas } from './current-deltas.js';
import { MqttListeners } from './listeners.js';
import { MqttHealth } from './mqtt.health.js';
import { MqttTransport } from './transport.js';
import { PreviousDocuments } from '../previous-documents.js';
import { RequestAnswerer } from '../request-answerer.js';
import { RequestHandlers } from '../request-handlers.js';
import { MqttPublisher } from './publisher.js';

/** The built-in broker and its doors. CONFIG, CLOCK, LOGGER, SHADOW_STORE and HEALTH_PARTS come from global modules. */
@Module({
  imports: [WatchModule],
  providers: [
    MqttBroker,
    CurrentDeltas,
    {
      provide: PreviousDocuments,
      inject: [CONFIG, CLOCK, SHADOW_STORE],
      useFactory: (config: Config, clock: Clock, store: ShadowStore) => new PreviousDocuments(config, clock, store),
    },
    MqttPublisher,
    MqttListeners,
    RequestHandlers,
    RequestAnswerer,
    MqttTransport,
    MqttHealth,
  ],
  exports: [MqttBroker, MqttTransport],
})
export class MqttModule {}
