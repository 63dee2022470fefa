import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { answerWith } from './answer.js';
import { RuntimeSwitch } from './runtime-switch.js';
import { getRuntime } from './runtime.openapi.js';

@Controller('v1/runtime')
export class GetRuntimeController {
  constructor(@Inject(RuntimeSwitch) private readonly runtime: RuntimeSwitch) {}

  @Get()
  @Action('runtime:get')
  @Describe(getRuntime)
  async get(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    return answerWith(reply, await this.runtime.state());
  }
}
