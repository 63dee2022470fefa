import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { Rpc, type GrpcCall } from '../grpc/grpc-call.js';
import { LeaseAccess } from './lease-access.js';
import { aboutLeases, askerOf, type NamesLease } from './lease-call.js';
import { parseLeaseRequest } from './lease-record.js';
import { LeaseTable } from './lease-table.js';
import { takenLease } from './lease-view.js';
import type { TakenLease } from './leases.openapi.js';

interface TakeMessage {
  readonly things: readonly string[];
  readonly ttlSeconds?: number;
  readonly exclusive: boolean;
}

@Controller()
export class UpdateLeaseGrpc {
  constructor(
    @Inject(LeaseTable) private readonly table: LeaseTable,
    @Inject(LeaseAccess) private readonly access: LeaseAccess,
  ) {}

  @Rpc('Leases', 'Take', aboutLeases)
  @Action('lease:update')
  async take(call: GrpcCall<TakeMessage>): Promise<TakenLease> {
    const { principal, deadline, request } = call;
    const { things, ttlSeconds, exclusive } = request;
    const asked = parseLeaseRequest({ things, exclusive, ...(ttlSeconds !== undefined && { ttlSeconds }) });
    this.access.checkTaking(askerOf(call), asked.things);
    return takenLease(await this.table.take(principal.tenant, principal.id, asked, deadline));
  }

  /** Asks again for every thing: a right that was withdrawn ends with the lease. */
  @Rpc('Leases', 'Renew', aboutLeases)
  @Action('lease:update')
  async renew(call: GrpcCall<NamesLease>): Promise<TakenLease> {
    const { tenant } = call.principal;
    const { lease: id } = call.request;
    const asker = askerOf(call);
    const lease = await this.table.get(tenant, id);
    this.access.checkHeld(asker, lease);
    this.access.checkTaking(asker, lease.record.things);
    return takenLease(await this.table.renew(tenant, id));
  }
}
