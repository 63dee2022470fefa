import { Module } from '@nestjs/common';
import { DeleteLeaseGrpc } from './delete.grpc.js';
import { DeleteLeaseController } from './delete.http.js';
import { GetLeaseGrpc } from './get.grpc.js';
import { GetLeaseController } from './get.http.js';
import { LeaseAccess } from './lease-access.js';
import { LeaseTable } from './lease-table.js';
import { LeasedWrites } from './leased-writes.js';
import { ListLeasesGrpc } from './list.grpc.js';
import { ListLeasesController } from './list.http.js';
import { UpdateLeaseGrpc } from './update.grpc.js';
import { UpdateLeaseController } from './update.http.js';

/** The right to be the one writer of things for a time, and the fence that holds it. */
@Module({
  controllers: [
    GetLeaseController,
    ListLeasesController,
    UpdateLeaseController,
    DeleteLeaseController,
    GetLeaseGrpc,
    ListLeasesGrpc,
    UpdateLeaseGrpc,
    DeleteLeaseGrpc,
  ],
  providers: [LeaseTable, LeaseAccess, LeasedWrites],
  exports: [LeasedWrites],
})
export class LeasesModule {}
