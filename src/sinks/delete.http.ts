import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { DeleteSink } from './delete.js';
import { sinkNames } from './sink-name.js';
import { deleteSink } from './sinks.openapi.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class DeleteSinkController {
  constructor(
    private readonly sinks: DeleteSink,
    private readonly administration: Administration,
  ) {}

  @Delete(':sink')
  @HttpCode(204)
  @Action('sink:delete')
  @Describe(deleteSink)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const names = sinkNames(request);
    const { revision } = this.administration.get('sink', names);
    await this.sinks.delete(names, expectedGone(request, revision));
  }
}
