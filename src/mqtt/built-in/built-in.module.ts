import { Module } from '@nestjs/common';
import { WatchModule } from '../../watch/watch.module.js';
import { MqttBroker } from './broker.js';
import { CurrentDeltas } from './current-deltas.js';
import { MqttListeners } from './listeners.js';
import { MqttErrorFilter } from '../mqtt-error.filter.js';
import { MqttTransport } from './transport.js';
import { PreviousDocuments } from '../previous-documents.js';
import { MqttPublisher } from './publisher.js';

/** The built-in broker and its doors. CONFIG, CLOCK, LOGGER and SHADOW_STORE come from global modules. */
@Module({
  imports: [WatchModule],
  providers: [
    MqttBroker,
    CurrentDeltas,
    PreviousDocuments,
    MqttPublisher,
    MqttListeners,
    MqttErrorFilter,
    MqttTransport,
  ],
  exports: [MqttTransport],
})
export class MqttModule {}
