import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone, parameterOf, tenantOf } from '../http/record-request.js';
import { DeleteGroup } from './delete.js';
import { deleteGroup } from './groups.openapi.js';

@Controller(['v1/groups', 'v1/tenants/:tenant/groups'])
export class DeleteGroupController {
  constructor(
    private readonly groups: DeleteGroup,
    private readonly administration: Administration,
  ) {}

  @Delete(':group')
  @HttpCode(204)
  @Action('group:delete')
  @Describe(deleteGroup)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = [tenantOf(request), parameterOf(request, 'group')] as const;
    const { revision } = this.administration.get('group', names);
    await this.groups.delete(names, expectedGone(request, revision));
  }
}
