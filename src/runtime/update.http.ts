import { Controller, Inject, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf } from '../http/record-request.js';
import { answerWith } from './answer.js';
import { documentOf, RuntimeFault, type RuntimeDocument } from './runtime-document.js';
import { pendingIn } from './runtime-state.js';
import { RuntimeSwitch } from './runtime-switch.js';
import { updateRuntime } from './runtime.openapi.js';

@Controller('v1/runtime')
export class UpdateRuntimeController {
  constructor(@Inject(RuntimeSwitch) private readonly runtime: RuntimeSwitch) {}

  /** Changes nothing on any node until it is promoted. */
  @Put('staged')
  @Action('runtime:update')
  @Describe(updateRuntime)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const document = checked(objectOf(request));
    const state = await this.runtime.state();
    expectedOf(request, pendingIn(state)?.revision ?? null);
    return answerWith(reply, await this.runtime.stage(document, state, request.principal.id));
  }
}

function checked(value: object): RuntimeDocument {
  try {
    return documentOf(value);
  } catch (error) {
    if (error instanceof RuntimeFault) throw new ServiceError('invalidRequest', error.message);
    throw error;
  }
}
