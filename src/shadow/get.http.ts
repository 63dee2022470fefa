import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../auth/action.js';
import { CLOCK, type Clock } from '../config/clock.js';
import { getAccepted } from '../document/messages.js';
import { json, versioned } from '../http/answer.js';
import { entityTag, evaluate, FromConditions, preconditionFailed, type Conditions } from '../http/conditions.js';
import { Describe } from '../http/openapi/describe.js';
import { FromTarget, type Target } from '../http/target.js';
import { GetShadow } from './get.js';
import { awsGet, get } from './shadow.openapi.js';

/** GetThingShadow of the AWS data plane (PROTOCOL 4.2). */
@Controller('things/:thing/shadow')
export class AwsGetShadowController {
  constructor(
    private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Action('shadow:get')
  @Describe(awsGet)
  async get(@FromTarget() { key, options }: Target, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { state } = await this.shadow.run(key, options);
    return json(reply, getAccepted(state, this.clock.now()));
  }
}

@Controller('v1/things/:thing/shadow')
export class GetShadowController {
  constructor(
    private readonly shadow: GetShadow,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Header('cache-control', 'no-cache')
  @Action('shadow:get')
  @Describe(get)
  async get(
    @FromTarget() { key, options }: Target,
    @FromConditions() conditions: Conditions,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    const { state } = await this.shadow.run(key, options);
    const outcome = evaluate(conditions, state);
    if (outcome === 'match') throw preconditionFailed(state);
    if (outcome === 'none-match') {
      void reply.code(304).header('etag', entityTag(state.version));
      return undefined;
    }
    return versioned(reply, state.version, getAccepted(state, this.clock.now()));
  }
}
