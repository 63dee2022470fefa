import { Module, type DynamicModule } from '@nestjs/common';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { REGISTRATION_CODES, type RegistrationCodes } from '../auth/certificates/possession.js';
import { DeleteAuthorityController } from './delete.http.js';
import { GetAuthorityController } from './get.http.js';
import { ListAuthoritiesController } from './list.http.js';
import { UpdateAuthorityController } from './update.http.js';
import { UpdateAuthority } from './update.js';

/** Whose certificates are trusted. Administration comes from the global DirectoryModule. */
@Module({
  controllers: [
    GetAuthorityController,
    ListAuthoritiesController,
    UpdateAuthorityController,
    DeleteAuthorityController,
  ],
})
export class AuthoritiesModule {
  static forRoot(trust: DeviceTrust, codes: RegistrationCodes): DynamicModule {
    return {
      module: AuthoritiesModule,
      providers: [
        UpdateAuthority,
        { provide: DEVICE_TRUST, useValue: trust },
        { provide: REGISTRATION_CODES, useValue: codes },
      ],
    };
  }
}
