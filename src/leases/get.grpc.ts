import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { Rpc, type GrpcCall } from '../grpc/grpc-call.js';
import { LeaseAccess } from './lease-access.js';
import { aboutLeases, askerOf, type NamesLease } from './lease-call.js';
import { LeaseTable, noLease } from './lease-table.js';
import { leaseView } from './lease-view.js';
import type { LeaseView } from './leases.openapi.js';

@Controller()
export class GetLeaseGrpc {
  constructor(
    @Inject(LeaseTable) private readonly table: LeaseTable,
    @Inject(LeaseAccess) private readonly access: LeaseAccess,
  ) {}

  @Rpc('Leases', 'Get', aboutLeases)
  @Action('lease:get')
  async get(call: GrpcCall<NamesLease>): Promise<LeaseView> {
    const lease = await this.table.get(call.principal.tenant, call.request.lease);
    if (!this.access.maySee(askerOf(call), lease)) throw noLease();
    return leaseView(lease);
  }
}
