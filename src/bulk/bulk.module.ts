import { Module } from '@nestjs/common';
import { LeasesModule } from '../leases/leases.module.js';
import { ShadowModule } from '../shadow/shadow.module.js';
import { BulkRequests } from './bulk-requests.js';
import { LineAccess } from './line-access.js';
import { BulkController } from './update.http.js';
import { ChangeInBulk } from './update.js';

/** Many changes in one request, each by itself. */
@Module({
  imports: [ShadowModule, LeasesModule],
  controllers: [BulkController],
  providers: [BulkRequests, LineAccess, ChangeInBulk],
})
export class BulkModule {}
