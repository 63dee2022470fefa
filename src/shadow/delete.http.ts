import { Controller, Delete, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../auth/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { deleteAccepted } from '../document/messages.js';
import { parseClientToken } from '../document/parse-request.js';
import { json } from '../http/answer.js';
import { FromConditions, preconditionOf, type Conditions } from '../http/conditions.js';
import { Describe } from '../http/openapi/describe.js';
import { FromTarget, RawBody, type Target } from '../http/target.js';
import { DeleteShadow } from './delete.js';
import { awsDelete, remove } from './shadow.openapi.js';

/** DeleteThingShadow of the AWS data plane (PROTOCOL 4.2). */
@Controller('things/:thing/shadow')
export class AwsDeleteShadowController {
  constructor(
    private readonly shadow: DeleteShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Delete()
  @Action('shadow:delete')
  @Describe(awsDelete)
  async delete(
    @FromTarget() { key, principal, options }: Target,
    @RawBody() body: Uint8Array,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const token = parseClientToken(body, this.config.limits);
    const { state, change } = await this.shadow.run(key, token, principal, options);
    return json(reply, deleteAccepted(state, change));
  }
}

@Controller('v1/things/:thing/shadow')
export class DeleteShadowController {
  constructor(
    private readonly shadow: DeleteShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Delete()
  @Action('shadow:delete')
  @Describe(remove)
  async delete(
    @FromTarget() { key, principal, options }: Target,
    @RawBody() body: Uint8Array,
    @FromConditions() conditions: Conditions,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const token = parseClientToken(body, this.config.limits);
    const { state, change } = await this.shadow.run(key, token, principal, options, preconditionOf(conditions));
    return json(reply, deleteAccepted(state, change));
  }
}
