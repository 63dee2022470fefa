import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { LeaseAccess } from './lease-access.js';
import { LeaseTable, noLease } from './lease-table.js';
import { leaseView } from './lease-view.js';
import { getLease } from './leases.openapi.js';

@Controller('v1/leases')
export class GetLeaseController {
  constructor(
    private readonly table: LeaseTable,
    private readonly access: LeaseAccess,
  ) {}

  @Get(':lease')
  @Action('lease:get')
  @Describe(getLease)
  async get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const lease = await this.table.get(request.principal.tenant, parameterOf(request, 'lease'));
    if (!this.access.maySee(request, lease)) throw noLease();
    void reply.header('cache-control', 'no-store');
    return json(reply, leaseView(lease));
  }
}
