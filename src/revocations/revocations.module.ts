import { Module, type DynamicModule } from '@nestjs/common';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { DeleteRevocationController } from './delete.http.js';
import { ListRevocationsController } from './list.http.js';
import { UpdateRevocationController } from './update.http.js';
import { UpdateRevocation } from './update.js';

/** What is trusted no longer. Administration comes from the global DirectoryModule. */
@Module({ controllers: [ListRevocationsController, UpdateRevocationController, DeleteRevocationController] })
export class RevocationsModule {
  static forRoot(trust: DeviceTrust): DynamicModule {
    return { module: RevocationsModule, providers: [UpdateRevocation, { provide: DEVICE_TRUST, useValue: trust }] };
  }
}
