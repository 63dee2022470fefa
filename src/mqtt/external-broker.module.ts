import { Module } from '@nestjs/common';
import { ExternalBroker } from './external-broker.js';
import { ExternalBrokerTransport } from './external-broker.transport.js';
import { PreviousDocuments } from './previous-documents.js';

/** The second MQTT door, present when a broker is configured. The handlers are those of MqttModule. */
@Module({
  providers: [ExternalBroker, ExternalBrokerTransport, PreviousDocuments],
  exports: [ExternalBrokerTransport],
})
export class ExternalBrokerModule {}
