import { Controller, Inject } from '@nestjs/common';
import { Action } from '../access/action.js';
import { Rpc, type GrpcCall } from '../grpc/grpc-call.js';
import { pageOf, type PageMessage } from '../grpc/page.js';
import { LeaseAccess } from './lease-access.js';
import { aboutLeases, askerOf } from './lease-call.js';
import { LeaseTable } from './lease-table.js';
import { leaseView } from './lease-view.js';
import type { LeaseView } from './leases.openapi.js';

interface LeasesMessage {
  readonly leases: readonly LeaseView[];
  readonly nextPageToken?: string;
}

@Controller()
export class ListLeasesGrpc {
  constructor(
    @Inject(LeaseTable) private readonly table: LeaseTable,
    @Inject(LeaseAccess) private readonly access: LeaseAccess,
  ) {}

  @Rpc('Leases', 'List', aboutLeases)
  @Action('lease:list')
  async list(call: GrpcCall<PageMessage>): Promise<LeasesMessage> {
    const { limit, after = '' } = pageOf(call.request);
    const asker = askerOf(call);
    const all = await this.table.list(call.principal.tenant);
    const seen = all.filter((lease) => lease.id > after && this.access.maySee(asker, lease));
    const page = seen.slice(0, limit);
    const last = page.at(-1);
    return {
      leases: page.map(leaseView),
      ...(seen.length > limit && last !== undefined && { nextPageToken: last.id }),
    };
  }
}
