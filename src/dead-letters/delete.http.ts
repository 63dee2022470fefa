import { Controller, Delete, HttpCode, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf } from '../http/record-request.js';
import { sinkNames } from '../sinks/sink-name.js';
import { deleteDeadLetter, deleteDeadLetters } from './dead-letters.openapi.js';
import { SinkLetters } from './sink-letters.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class DeleteDeadLettersController {
  constructor(private readonly sinks: SinkLetters) {}

  @Delete(':sink/dead-letters')
  @HttpCode(204)
  @Action('dead-letter:delete')
  @Describe(deleteDeadLetters)
  async deleteAll(@Req() request: FastifyRequest): Promise<void> {
    const { letters } = this.sinks.of(sinkNames(request));
    await letters.remove(await letters.list());
  }

  @Delete(':sink/dead-letters/:letter')
  @HttpCode(204)
  @Action('dead-letter:delete')
  @Describe(deleteDeadLetter)
  async delete(@Req() request: FastifyRequest): Promise<void> {
    const { letters } = this.sinks.of(sinkNames(request));
    const id = parameterOf(request, 'letter');
    const found = (await letters.list()).filter(({ letter }) => letter.id === id);
    if (found.length === 0) throw new ServiceError('noRecord', `dead letter '${id}'`);
    await letters.remove(found);
  }
}
