import { Module, type DynamicModule } from '@nestjs/common';
import { GrpcAccess } from './grpc-access.js';
import { GrpcHandlers } from './grpc-handlers.js';
import { GrpcMethods, PROTO_FILE } from './grpc-methods.js';
import { GrpcTransport } from './grpc-transport.js';

/** The gRPC door. CONFIG, CLOCK, LOGGER and ACCESS come from global modules; controllers declare what it answers. */
@Module({})
export class GrpcModule {
  /** @param protoFile path of the description of the services */
  static forRoot(protoFile: string): DynamicModule {
    return {
      module: GrpcModule,
      providers: [GrpcHandlers, { provide: PROTO_FILE, useValue: protoFile }, GrpcMethods, GrpcAccess, GrpcTransport],
      exports: [GrpcTransport],
    };
  }
}
