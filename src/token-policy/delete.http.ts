import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { deleteTokenPolicy } from './token-policy.openapi.js';

@Controller('v1/token-policy')
export class DeleteTokenPolicyController {
  constructor(private readonly administration: Administration) {}

  @Delete()
  @HttpCode(204)
  @Action('token-policy:delete')
  @Describe(deleteTokenPolicy)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const { revision } = this.administration.get('tokenPolicy', []);
    await this.administration.remove('tokenPolicy', [], expectedGone(request, revision));
  }
}
