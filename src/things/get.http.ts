import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { FromCaller, FromThing, type Caller } from '../http/caller.js';
import { Describe } from '../http/openapi/describe.js';
import { pageAfter, ShadowPageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { sayRevision } from '../http/revision.js';
import { json } from '../http/send-json.js';
import { storedShadow } from './shadow-views.js';
import { GetThing } from './get.js';
import { PresenceOfThings } from './presence-of-things.js';
import { getThing, type Thing } from './things.openapi.js';

@Controller('v1/things/:thing')
export class GetThingController {
  constructor(
    private readonly things: GetThing,
    private readonly presence: PresenceOfThings,
  ) {}

  @Get()
  @Action('thing:get')
  @Describe(getThing)
  async get(
    @FromThing() thing: string,
    @FromCaller() { principal, options }: Caller,
    @Query(queryOf(ShadowPageQuery)) { limit, after, minRevision }: ShadowPageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const query = { tenant: principal.tenant, thing, limit, minRevision, ...(after !== undefined && { after }) };
    const { records, next, revision } = await pageAfter('after', this.things.get(query, options));
    sayRevision(reply, revision);
    const body: Thing = {
      thing,
      ...this.presence.of(thing, request),
      shadows: records.map(storedShadow),
      ...(next !== undefined && { next }),
    };
    return json(reply, body);
  }
}
