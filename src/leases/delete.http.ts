import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf } from '../http/record-request.js';
import { LeaseAccess } from './lease-access.js';
import { LeaseTable } from './lease-table.js';
import { endLease } from './leases.openapi.js';

@Controller('v1/leases')
export class DeleteLeaseController {
  constructor(
    private readonly table: LeaseTable,
    private readonly access: LeaseAccess,
  ) {}

  @Delete(':lease')
  @HttpCode(204)
  @Action('lease:delete')
  @Describe(endLease)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const { tenant } = request.principal;
    const id = parameterOf(request, 'lease');
    this.access.checkHeld(request, await this.table.get(tenant, id));
    await this.table.end(tenant, id);
  }
}
