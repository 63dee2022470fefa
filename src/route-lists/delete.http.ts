import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { deleteRouteLists } from './route-lists.openapi.js';

@Controller('v1/route-lists')
export class DeleteRouteListsController {
  constructor(private readonly administration: Administration) {}

  @Delete()
  @HttpCode(204)
  @Action('route-list:delete')
  @Describe(deleteRouteLists)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const { revision } = this.administration.get('routeLists', []);
    await this.administration.remove('routeLists', [], expectedGone(request, revision));
  }
}
