import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone, parameterOf, tenantOf } from '../http/record-request.js';
import { DeletePolicy } from './delete.js';
import { deletePolicy } from './policies.openapi.js';

@Controller(['v1/policies', 'v1/tenants/:tenant/policies'])
export class DeletePolicyController {
  constructor(
    private readonly policies: DeletePolicy,
    private readonly administration: Administration,
  ) {}

  @Delete(':policy')
  @HttpCode(204)
  @Action('policy:delete')
  @Describe(deletePolicy)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = [tenantOf(request), parameterOf(request, 'policy')] as const;
    const current = this.administration.get('policy', names).revision;
    await this.policies.delete(names, expectedGone(request, current));
  }
}
