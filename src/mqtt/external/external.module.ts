import { Module } from '@nestjs/common';
import { ExternalCoordinator } from './coordinator.js';
import { ExternalTransport } from './transport.js';
import { PreviousDocuments } from '../previous-documents.js';

/** The second MQTT door, present when a broker is configured. The handlers are those of MqttModule. */
@Module({
  providers: [ExternalCoordinator, ExternalTransport, PreviousDocuments],
  exports: [ExternalTransport],
})
export class ExternalBrokerModule {}
