import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf } from '../http/record-request.js';
import { answerWith } from './answer.js';
import { RuntimeSwitch } from './runtime-switch.js';
import { rollbackRuntime } from './runtime.openapi.js';

@Controller('v1/runtime')
export class RollbackRuntimeController {
  constructor(@Inject(RuntimeSwitch) private readonly runtime: RuntimeSwitch) {}

  @Post('rollback')
  @HttpCode(200)
  @Action('runtime:rollback')
  @Describe(rollbackRuntime)
  async rollback(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { version } = objectOf(request, ['version']);
    if (version !== undefined && !Number.isSafeInteger(version))
      throw new ServiceError('invalidRequest', 'version must be a whole number');
    return answerWith(reply, await this.runtime.rollback(request.principal.id, version as number | undefined));
  }
}
