import { Controller, HttpCode, Inject, Patch, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../auth/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseJson } from '../document/json.js';
import { getAccepted, updateAccepted } from '../document/messages.js';
import { parseUpdate } from '../document/parse-request.js';
import type { Section } from '../document/shadow-document.js';
import { json, versioned } from '../http/answer.js';
import { FromConditions, preconditionOf, type Conditions } from '../http/conditions.js';
import { Describe } from '../http/openapi/describe.js';
import { FromTarget, RawBody, type Target } from '../http/target.js';
import { awsUpdate, update, updateDesired, updateReported } from './shadow.openapi.js';
import { UpdateShadow } from './update.js';

/** UpdateThingShadow of the AWS data plane (PROTOCOL 4.2). */
@Controller('things/:thing/shadow')
export class AwsUpdateShadowController {
  constructor(
    private readonly shadow: UpdateShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @HttpCode(200)
  @Action('shadow:update')
  @Describe(awsUpdate)
  async update(
    @FromTarget() { key, principal, options }: Target,
    @RawBody() body: Uint8Array,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const request = parseUpdate(body, this.config.limits);
    const { state, change } = await this.shadow.run(key, request, principal, options);
    return json(reply, updateAccepted(state, change));
  }
}

/** Answers with the whole document: whoever sends a patch here wants to know what came of it. */
@Controller('v1/things/:thing/shadow')
export class UpdateShadowController {
  constructor(
    private readonly shadow: UpdateShadow,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Patch()
  @Action('shadow:update')
  @Describe(update)
  update(
    @FromTarget() target: Target,
    @RawBody() body: Uint8Array,
    @FromConditions() conditions: Conditions,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.run(target, body, conditions, reply);
  }

  @Patch('desired')
  @Action('shadow:update')
  @Describe(updateDesired)
  updateDesired(
    @FromTarget() target: Target,
    @RawBody() body: Uint8Array,
    @FromConditions() conditions: Conditions,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.run(target, this.asUpdate('desired', body), conditions, reply);
  }

  @Patch('reported')
  @Action('shadow:update')
  @Describe(updateReported)
  updateReported(
    @FromTarget() target: Target,
    @RawBody() body: Uint8Array,
    @FromConditions() conditions: Conditions,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    return this.run(target, this.asUpdate('reported', body), conditions, reply);
  }

  private async run(target: Target, body: Uint8Array, conditions: Conditions, reply: FastifyReply): Promise<string> {
    const request = parseUpdate(body, this.config.limits);
    const precondition = preconditionOf(conditions);
    const { state, change } = await this.shadow.run(
      target.key,
      request,
      target.principal,
      target.options,
      precondition,
    );
    return versioned(reply, state.version, getAccepted(state, change.at, change.clientToken));
  }

  /**
   * A merge patch (RFC 7396) of one section as the update that means the same: the merge rules of sections are its own
   * (PROTOCOL 2.2). Parsed first, so that nothing but one JSON value gets between the braces.
   */
  private asUpdate(section: Section, body: Uint8Array): Uint8Array {
    parseJson(body, this.config.limits.maxDepth);
    const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
    // The client's own bytes: written anew, a number beyond all bounds would turn into null.
    return Buffer.concat([Buffer.from(`{"state":{"${section}":`), body.subarray(hasMark ? 3 : 0), Buffer.from('}}')]);
  }
}
