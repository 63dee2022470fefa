import { Controller, Post, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf, parameterOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { LeaseAccess } from './lease-access.js';
import { parseLeaseRequest } from './lease-record.js';
import { LeaseTable } from './lease-table.js';
import { takenLease } from './lease-view.js';
import { renewLease, takeLease } from './leases.openapi.js';

@Controller('v1/leases')
export class UpdateLeaseController {
  constructor(
    private readonly table: LeaseTable,
    private readonly access: LeaseAccess,
  ) {}

  @Post()
  @Action('lease:update')
  @Describe(takeLease)
  async take(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { principal, deadline } = request;
    const asked = parseLeaseRequest(objectOf(request));
    this.access.checkTaking(request, asked.things);
    const lease = await this.table.take(principal.tenant, principal.id, asked, deadline);
    void reply.header('cache-control', 'no-store');
    return json(reply, takenLease(lease));
  }

  /** Asks again for every thing: a right that was withdrawn ends with the lease. */
  @Put(':lease')
  @Action('lease:update')
  @Describe(renewLease)
  async renew(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { tenant } = request.principal;
    const id = parameterOf(request, 'lease');
    const lease = await this.table.get(tenant, id);
    this.access.checkHeld(request, lease);
    this.access.checkTaking(request, lease.record.things);
    const renewed = await this.table.renew(tenant, id);
    void reply.header('cache-control', 'no-store');
    return json(reply, takenLease(renewed));
  }
}
