import { Controller, Delete, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { deleteAcceptedText } from '../document/message-texts.js';
import { parseClientToken } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { sayRevision } from '../http/revision.js';
import { sendJsonText } from '../http/send-json.js';
import { conditionsOf, preconditionOf } from '../http/conditions.js';
import { Direct } from '../http/server/direct-handlers.js';
import { Describe } from '../http/openapi/describe.js';
import { bodyOf, targetOf } from '../http/caller.js';
import { hasIdempotencyKey } from '../idempotency/idempotency-key.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { DeleteShadow } from './delete.js';
import { IdempotentChange } from './idempotent-change.js';
import { deleteAnswer } from './send-document.js';
import { awsDelete, remove } from './shadow.openapi.js';

/** DeleteThingShadow of the AWS data plane (PROTOCOL 4.2). */
@Controller('things/:thing/shadow')
export class AwsDeleteShadowController {
  constructor(
    private readonly shadow: DeleteShadow,
    private readonly leases: LeasedWrites,
    private readonly idempotent: IdempotentChange,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Delete()
  @Direct()
  @Action('shadow:delete')
  @Describe(awsDelete)
  async delete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const call = targetOf(request);
    const token = parseClientToken(bodyOf(request), this.config.limits);
    if (hasIdempotencyKey(request)) {
      const once = this.shadow.changeOf(call, token);
      return this.idempotent.answer(request, reply, call, once, deleteAnswer);
    }
    const { state, change, position } = await (hasLease(request)
      ? this.leases.under(request, [call.key.thing], (fence) => this.shadow.delete({ ...call, fence }, token))
      : this.shadow.delete(call, token));
    sayRevision(reply, position.revision);
    sendJsonText(reply, deleteAcceptedText(state, change));
  }
}

@Controller('v1/things/:thing/shadow')
export class DeleteShadowController {
  constructor(
    private readonly shadow: DeleteShadow,
    private readonly leases: LeasedWrites,
    private readonly idempotent: IdempotentChange,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Delete()
  @Direct()
  @Action('shadow:delete')
  @Describe(remove)
  async delete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const call = { ...targetOf(request), precondition: preconditionOf(conditionsOf(request)) };
    const token = parseClientToken(bodyOf(request), this.config.limits);
    if (hasIdempotencyKey(request)) {
      const once = this.shadow.changeOf(call, token);
      return echoToken(token, this.idempotent.answer(request, reply, call, once, deleteAnswer));
    }
    const deleted = hasLease(request)
      ? this.leases.under(request, [call.key.thing], (fence) => this.shadow.delete({ ...call, fence }, token))
      : this.shadow.delete(call, token);
    const { state, change, position } = await echoToken(token, deleted);
    sayRevision(reply, position.revision);
    sendJsonText(reply, deleteAcceptedText(state, change));
  }
}
