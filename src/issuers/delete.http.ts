import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { deleteIssuer } from './issuers.openapi.js';
import { issuerNames } from './issuer-name.js';

@Controller(['v1/issuers', 'v1/tenants/:tenant/issuers'])
export class DeleteIssuerController {
  constructor(private readonly administration: Administration) {}

  @Delete(':issuer')
  @HttpCode(204)
  @Action('issuer:delete')
  @Describe(deleteIssuer)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = issuerNames(request);
    const { revision } = this.administration.get('issuer', names);
    await this.administration.remove('issuer', names, expectedGone(request, revision));
  }
}
