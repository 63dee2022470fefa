import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Seniority } from '../directory/seniority.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf, tenantOf } from '../http/record-request.js';
import { deleteKey } from './keys.openapi.js';

@Controller(['v1/principals/:principal/keys', 'v1/tenants/:tenant/principals/:principal/keys'])
export class DeleteKeyController {
  constructor(
    private readonly administration: Administration,
    private readonly seniority: Seniority,
  ) {}

  /** Withdraws a key: connections that were opened with it end. */
  @Delete(':key')
  @HttpCode(204)
  @Action('key:delete')
  @Describe(deleteKey)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const id = parameterOf(request, 'key');
    const names = [tenantOf(request), parameterOf(request, 'principal')] as const;
    this.seniority.check(request, names);
    const key = this.administration.find('key', [id])?.record;
    const isOwn = key?.tenant === names[0] && key.principal === names[1];
    // A key of somebody else is no other than none: whether it exists is not said.
    if (!isOwn) throw new ServiceError('noRecord', `key '${id}'`);
    await this.administration.remove('key', [id], undefined);
  }
}
