import { Module, type DynamicModule } from '@nestjs/common';
import { AuditTrail } from './audit-trail.js';
import { GetAuditController } from './get.http.js';

/** What was done and refused, to be read. */
@Module({})
export class AuditModule {
  static forRoot(trail: AuditTrail): DynamicModule {
    return {
      module: AuditModule,
      controllers: [GetAuditController],
      providers: [{ provide: AuditTrail, useValue: trail }],
    };
  }
}
