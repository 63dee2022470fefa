import { Module, type DynamicModule } from '@nestjs/common';
import { EXTERNAL_ISSUERS, type ExternalIssuers } from '../auth/external-issuers.js';
import { DeleteIssuerController } from './delete.http.js';
import { GetIssuerController } from './get.http.js';
import { IssuersHealth } from './issuers.health.js';
import { ListIssuersController } from './list.http.js';
import { UpdateIssuerController } from './update.http.js';
import { UpdateIssuer } from './update.js';

/** Whose access tokens are accepted beside our own. Administration comes from the global DirectoryModule. */
@Module({ controllers: [GetIssuerController, ListIssuersController, UpdateIssuerController, DeleteIssuerController] })
export class IssuersModule {
  static forRoot(external: ExternalIssuers): DynamicModule {
    return {
      module: IssuersModule,
      providers: [UpdateIssuer, IssuersHealth, { provide: EXTERNAL_ISSUERS, useValue: external }],
    };
  }
}
