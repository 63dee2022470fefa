import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { deleteAuthority } from './authorities.openapi.js';
import { authorityNames } from './authority-name.js';

@Controller(['v1/authorities', 'v1/tenants/:tenant/authorities'])
export class DeleteAuthorityController {
  constructor(private readonly administration: Administration) {}

  @Delete(':authority')
  @HttpCode(204)
  @Action('authority:delete')
  @Describe(deleteAuthority)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = authorityNames(request);
    const { revision } = this.administration.get('authority', names);
    await this.administration.remove('authority', names, expectedGone(request, revision));
  }
}
