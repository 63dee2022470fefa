import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { sayRevision } from '../http/revision.js';
import { json } from '../http/send-json.js';
import { Describe } from '../http/openapi/describe.js';
import { pageAfter, ShadowPageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { ListThings } from './list.js';
import { PresenceOfThings } from './presence-of-things.js';
import { shadowSummary } from './shadow-views.js';
import { listThings, type Things } from './things.openapi.js';

@Controller('v1/things')
export class ListThingsController {
  constructor(
    private readonly things: ListThings,
    private readonly presence: PresenceOfThings,
  ) {}

  @Get()
  @Action('thing:list')
  @Describe(listThings)
  async list(
    @FromCaller() { principal, options }: Caller,
    @Query(queryOf(ShadowPageQuery)) { limit, after, minRevision }: ShadowPageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const query = { tenant: principal.tenant, limit, minRevision, ...(after !== undefined && { after }) };
    const { things, next, revision } = await pageAfter('after', this.things.list(query, options));
    sayRevision(reply, revision);
    const rows = things.map(({ thing, records, truncated }) => ({
      thing,
      ...this.presence.of(thing, request),
      // The same two members as in the list of one thing's shadows.
      classic: records.some(({ key }) => key.name === null),
      names: records.flatMap(({ key }) => key.name ?? []),
      shadows: records.map(shadowSummary),
      ...(truncated && { truncated }),
    }));
    const body: Things = { things: rows, ...(next !== undefined && { next }) };
    return json(reply, body);
  }
}
