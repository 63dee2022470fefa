import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { callerOf } from '../http/caller.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone, tenantOf } from '../http/record-request.js';
import { DeleteTenant } from './delete.js';
import { deleteTenant } from './tenants.openapi.js';

@Controller('v1/tenants')
export class DeleteTenantController {
  constructor(
    private readonly tenants: DeleteTenant,
    private readonly administration: Administration,
  ) {}

  @Delete(':tenant')
  @HttpCode(204)
  @Action('tenant:delete')
  @Describe(deleteTenant)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const tenant = tenantOf(request);
    const current = this.administration.get('tenant', [tenant]).revision;
    await this.tenants.delete(tenant, expectedGone(request, current), callerOf(request).options);
  }
}
