import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Seniority } from '../directory/seniority.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone, parameterOf, tenantOf } from '../http/record-request.js';
import { DeletePrincipal } from './delete.js';
import { deletePrincipal } from './principals.openapi.js';

@Controller(['v1/principals', 'v1/tenants/:tenant/principals'])
export class DeletePrincipalController {
  constructor(
    private readonly principals: DeletePrincipal,
    private readonly administration: Administration,
    private readonly seniority: Seniority,
  ) {}

  @Delete(':principal')
  @HttpCode(204)
  @Action('principal:delete')
  @Describe(deletePrincipal)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = [tenantOf(request), parameterOf(request, 'principal')] as const;
    this.seniority.check(request, names);
    const current = this.administration.get('principal', names).revision;
    await this.principals.delete(names, expectedGone(request, current));
  }
}
