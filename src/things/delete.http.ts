import { Controller, Delete, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { CONFIG, type Config } from '../config/config.js';
import { parseClientToken } from '../document/parse-request.js';
import { echoToken } from '../errors/echo-token.js';
import { ServiceError } from '../errors/service-error.js';
import { bodyOf, FromCaller, FromThing, type Caller } from '../http/caller.js';
import { withoutConditions } from '../http/conditions.js';
import { Describe } from '../http/openapi/describe.js';
import { AfterQuery, pageAfter } from '../http/paging.dto.js';
import { ProblemError } from '../http/problem-error.js';
import { queryOf } from '../http/query.js';
import { sayRevision } from '../http/revision.js';
import { json } from '../http/send-json.js';
import { withoutIdempotencyKey } from '../idempotency/idempotency-key.js';
import { hasLease, LeasedWrites } from '../leases/leased-writes.js';
import { deletedShadow } from './shadow-views.js';
import { DeleteThing, type DeleteThingCall } from './delete.js';
import { removeThing, type ThingDeleted } from './things.openapi.js';

@Controller('v1/things/:thing')
export class DeleteThingController {
  constructor(
    private readonly things: DeleteThing,
    private readonly leases: LeasedWrites,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Names the deleted shadows also when others failed: the caller repeats the request for these. */
  @Delete()
  @Action('thing:delete')
  @Describe(removeThing)
  async delete(
    @FromThing() thing: string,
    @FromCaller() { principal, options }: Caller,
    @Query(queryOf(AfterQuery)) { after }: AfterQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    withoutConditions(request);
    withoutIdempotencyKey(request);
    const clientToken = parseClientToken(bodyOf(request), this.config.limits);
    const call = { ...options, principal, thing, ...(after !== undefined && { after }) };
    const result = hasLease(request)
      ? this.leases.under(request, [thing], (fence) => this.#delete({ ...call, fence }, clientToken, reply))
      : this.#delete(call, clientToken, reply);
    return json(reply, await echoToken(clientToken, pageAfter('after', result)));
  }

  async #delete(call: DeleteThingCall, clientToken: string | undefined, reply: FastifyReply): Promise<ThingDeleted> {
    const { records, errors, next, revision } = await this.things.delete(call, clientToken);
    sayRevision(reply, revision);
    const deleted = records.map(deletedShadow);
    const [error] = errors;
    if (errors.length > 0) throw error instanceof ServiceError ? new ProblemError(error, { deleted }) : error;
    return { thing: call.thing, deleted, ...(next !== undefined && { next }) };
  }
}
