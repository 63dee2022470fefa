import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { getAcceptedText } from '../document/message-texts.js';
import { sayRevision } from '../http/revision.js';
import { sendJsonText } from '../http/send-json.js';
import { conditionsOf, entityTag, evaluate, preconditionFailed } from '../http/conditions.js';
import { Direct } from '../http/server/direct-handlers.js';
import { Describe } from '../http/openapi/describe.js';
import { targetOf } from '../http/caller.js';
import { ProblemError } from '../http/problem-error.js';
import { RevisionGone } from '../store/revision-gone.js';
import { GetShadow } from './get.js';
import { sendDocument } from './send-document.js';
import { versionWanted } from './version-query.js';
import { awsGet, get } from './shadow.openapi.js';

/** GetThingShadow of the AWS data plane (PROTOCOL 4.2). */
@Controller('things/:thing/shadow')
export class AwsGetShadowController {
  constructor(
    private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Direct()
  @Action('shadow:get')
  @Describe(awsGet)
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { state, position, readAt } = await this.shadow.get(targetOf(request));
    sayRevision(reply, readAt ?? position.revision);
    sendJsonText(reply, getAcceptedText(state, this.clock.now()));
  }
}

@Controller('v1/things/:thing/shadow')
export class GetShadowController {
  constructor(
    private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Direct()
  @Action('shadow:get')
  @Describe(get)
  async get(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const call = targetOf(request);
    const conditions = conditionsOf(request);
    void reply.header('cache-control', 'no-cache');
    const wanted = versionWanted(request.query, this.clock);
    const found = wanted === null ? this.shadow.get(call) : withOldest(this.shadow.getVersion(call, wanted));
    const { state, change, position, readAt } = await found;
    sayRevision(reply, readAt ?? position.revision);
    const outcome = evaluate(conditions, state);
    if (outcome === 'match') throw preconditionFailed(state);
    if (outcome === 'none-match') return void reply.code(304).header('etag', entityTag(state.version)).send();
    sendDocument(reply, state, change, this.clock.now());
  }
}

/** Names the oldest revision that there is to programs too, when the one that was asked for is gone. */
async function withOldest<T>(found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    throw error instanceof RevisionGone ? new ProblemError(error, { oldestRevision: error.oldest }) : error;
  }
}
