import { Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone } from '../http/record-request.js';
import { answerWith } from './answer.js';
import { pendingIn } from './runtime-state.js';
import { RuntimeSwitch } from './runtime-switch.js';
import { promoteRuntime } from './runtime.openapi.js';

@Controller('v1/runtime')
export class PromoteRuntimeController {
  constructor(@Inject(RuntimeSwitch) private readonly runtime: RuntimeSwitch) {}

  @Post('promote')
  @HttpCode(200)
  @Action('runtime:promote')
  @Describe(promoteRuntime)
  async promote(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const staged = pendingIn(await this.runtime.state());
    const expected = expectedGone(request, staged?.revision ?? null) ?? undefined;
    return answerWith(reply, await this.runtime.promote({ by: request.principal.id, expected }));
  }
}
