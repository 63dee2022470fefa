import { Module } from '@nestjs/common';
import { ExternalBroker } from './coordinator.js';
import { ExternalBrokerTransport } from './transport.js';
import { PreviousDocuments } from '../previous-documents.js';

/** The second MQTT door, present when a broker is configured. The handlers are those of MqttModule. */
@Module({
  providers: [ExternalBroker, ExternalBrokerTransport, PreviousDocuments],
  exports: [ExternalBrokerTransport],
})
export class ExternalBrokerModule {}
