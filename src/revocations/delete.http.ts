import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { revocationNames } from './revocation-name.js';
import { deleteRevocation } from './revocations.openapi.js';

@Controller(['v1/revocations', 'v1/tenants/:tenant/revocations'])
export class DeleteRevocationController {
  constructor(private readonly administration: Administration) {}

  @Delete(':kind/:id')
  @HttpCode(204)
  @Action('revocation:delete')
  @Describe(deleteRevocation)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = revocationNames(request);
    const { revision } = this.administration.get('revocation', names);
    await this.administration.remove('revocation', names, expectedGone(request, revision));
  }
}
