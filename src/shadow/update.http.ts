import { Controller, HttpCode, Inject, Patch, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseJson } from '../document/json.js';
import { parseJsonPatch, type JsonPatch } from '../document/json-patch.js';
import { updateAcceptedText } from '../document/message-texts.js';
import { parseUpdate, type UpdateRequest } from '../document/parse-request.js';
import { ServiceError } from '../errors/service-error.js';
import type { Section } from '../document/shadow-document.js';
import { echoToken } from '../errors/echo-token.js';
import { isJsonPatch } from '../http/patch-format.js';
import { sayRevision } from '../http/revision.js';
import { sendJsonText } from '../http/send-json.js';
import { conditionsOf, preconditionOf } from '../http/conditions.js';
import { Direct } from '../http/server/direct-handlers.js';
import { Describe } from '../http/openapi/describe.js';
import { bodyOf, targetOf } from '../http/caller.js';
import { hasIdempotencyKey } from '../idempotency/idempotency-key.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { awsUpdate, update, updateDesired, updateReported } from './shadow.openapi.js';
import { IdempotentChange } from './idempotent-change.js';
import { awsUpdateAnswer, sendDocument, updateAnswer } from './send-document.js';
import { UpdateShadow } from './update.js';

/** UpdateThingShadow of the AWS data plane (PROTOCOL 4.2). */
@Controller('things/:thing/shadow')
export class AwsUpdateShadowController {
  constructor(
    private readonly shadow: UpdateShadow,
    private readonly leases: LeasedWrites,
    private readonly idempotent: IdempotentChange,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Post()
  @Direct()
  @HttpCode(200)
  @Action('shadow:update')
  @Describe(awsUpdate)
  async update(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const call = targetOf(request);
    const update = parseUpdate(bodyOf(request), this.config.limits);
    if (hasIdempotencyKey(request)) {
      const once = this.shadow.changeOf(call, update);
      return this.idempotent.answer(request, reply, call, once, awsUpdateAnswer);
    }
    const { state, change, position } = await (hasLease(request)
      ? this.leases.under(request, [call.key.thing], (fence) => this.shadow.update({ ...call, fence }, update))
      : this.shadow.update(call, update));
    sayRevision(reply, position.revision);
    sendJsonText(reply, updateAcceptedText(state, change));
  }
}

const SECTION_PATHS = '; to change members of one section, send them to …/shadow/desired or …/shadow/reported';

/** Answers with the whole document, so that the caller sees the result of its patch. */
@Controller('v1/things/:thing/shadow')
export class UpdateShadowController {
  constructor(
    private readonly shadow: UpdateShadow,
    private readonly leases: LeasedWrites,
    private readonly idempotent: IdempotentChange,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Patch()
  @Direct()
  @Action('shadow:update')
  @Describe(update)
  update(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#update(request, reply);
  }

  @Patch('desired')
  @Direct()
  @Action('shadow:update')
  @Describe(updateDesired)
  updateDesired(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#update(request, reply, 'desired');
  }

  @Patch('reported')
  @Direct()
  @Action('shadow:update')
  @Describe(updateReported)
  updateReported(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#update(request, reply, 'reported');
  }

  /** @param section the section that the body is a patch of; without one it is an update, or a JSON Patch of the state */
  async #update(request: FastifyRequest, reply: FastifyReply, section?: Section): Promise<void> {
    const { deadline, principal, key, trace } = targetOf(request);
    const call = { deadline, principal, key, trace, precondition: preconditionOf(conditionsOf(request)) };
    const update = this.#updateIn(request, section);
    if (hasIdempotencyKey(request)) {
      const once = this.shadow.changeOf(call, update);
      return echoToken(update.clientToken, this.idempotent.answer(request, reply, call, once, updateAnswer));
    }
    const updated = hasLease(request)
      ? this.leases.under(request, [key.thing], (fence) => this.shadow.update({ ...call, fence }, update))
      : this.shadow.update(call, update);
    const { state, change, position } = await echoToken(update.clientToken, updated);
    sayRevision(reply, position.revision);
    sendDocument(reply, state, change, change.at, change.clientToken);
  }

  #updateIn(request: FastifyRequest, section: Section | undefined): UpdateRequest | JsonPatch {
    const body = bodyOf(request);
    if (isJsonPatch(request)) return parseJsonPatch(body, section, this.config.limits);
    return section ? parseUpdate(this.#asUpdate(section, body), this.config.limits) : this.#parse(body);
  }

  /** Names the section paths to a body without `state`, because it is most often a patch of one section. */
  #parse(body: Uint8Array): UpdateRequest {
    try {
      return parseUpdate(body, this.config.limits);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.code !== 'missingState') throw error;
      throw new ServiceError('missingState', SECTION_PATHS, error.clientToken);
    }
  }

  /**
   * Turns a merge patch (RFC 7396) of one section into the equivalent update, to which the merge rules of PROTOCOL 2.2
   * apply. The body is parsed first, so that only one JSON value gets between the braces.
   */
  #asUpdate(section: Section, body: Uint8Array): Uint8Array {
    parseJson(body, this.config.limits.maxDepth);
    const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
    // Keeps the client's own bytes: a number too large for a double would turn into null when written again.
    return Buffer.concat([Buffer.from(`{"state":{"${section}":`), body.subarray(hasMark ? 3 : 0), Buffer.from('}}')]);
  }
}
