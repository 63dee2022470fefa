import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { Rpc, type GrpcCall } from '../grpc/grpc-call.js';
import { LeaseAccess } from './lease-access.js';
import { aboutLeases, askerOf, type NamesLease } from './lease-call.js';
import { LeaseTable } from './lease-table.js';

@Controller()
export class DeleteLeaseGrpc {
  constructor(
    @Inject(LeaseTable) private readonly table: LeaseTable,
    @Inject(LeaseAccess) private readonly access: LeaseAccess,
  ) {}

  @Rpc('Leases', 'End', aboutLeases)
  @Action('lease:delete')
  async delete(call: GrpcCall<NamesLease>): Promise<object> {
    const { tenant } = call.principal;
    const { lease: id } = call.request;
    this.access.checkHeld(askerOf(call), await this.table.get(tenant, id));
    await this.table.end(tenant, id);
    return {};
  }
}
