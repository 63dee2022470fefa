import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { sayRevision } from '../http/revision.js';
import { json } from '../http/send-json.js';
import { Describe } from '../http/openapi/describe.js';
import { AwsPageQuery, pageAfter, ShadowPageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { FromCaller, FromThing, type Caller } from '../http/caller.js';
import { existed } from './find-version.js';
import { GetShadow } from './get.js';
import { ListShadows } from './list.js';
import { awsList, list, type AwsNames, type Shadows } from './shadow.openapi.js';

/** ListNamedShadowsForThing of the AWS data plane (PROTOCOL 4.2). */
@Controller('api/things/shadow/ListNamedShadowsForThing')
export class AwsListShadowsController {
  constructor(
    private readonly shadows: ListShadows,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get(':thing')
  @Action('shadow:list')
  @Describe(awsList)
  async list(
    @FromThing() thing: string,
    @FromCaller() { principal, options }: Caller,
    @Query(queryOf(AwsPageQuery)) { pageSize: limit, nextToken: after }: AwsPageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const query = { tenant: principal.tenant, thing, limit, ...(after !== undefined && { after }) };
    const { names, next, revision } = await pageAfter('nextToken', this.shadows.list(query, options));
    sayRevision(reply, revision);
    const timestamp = Math.floor(this.clock.now() / 1000);
    const body: AwsNames = { results: [...names], ...(next !== undefined && { nextToken: next }), timestamp };
    return json(reply, body);
  }
}

@Controller('v1/things/:thing/shadows')
export class ListShadowsController {
  constructor(
    private readonly shadows: ListShadows,
    private readonly shadow: GetShadow,
  ) {}

  @Get()
  @Action('shadow:list')
  @Describe(list)
  async list(
    @FromThing() thing: string,
    @FromCaller() caller: Caller,
    @Query(queryOf(ShadowPageQuery)) { limit, after, minRevision }: ShadowPageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const query = { tenant: caller.principal.tenant, thing, limit, minRevision, ...(after !== undefined && { after }) };
    const key = { tenant: caller.principal.tenant, thing, name: null };
    const [{ names, next, revision }, { record, position }] = await Promise.all([
      pageAfter('after', this.shadows.list(query, caller.options)),
      this.shadow.find({ key, ...caller.options }, minRevision === undefined ? {} : { minRevision }),
    ]);
    sayRevision(reply, Math.min(revision, position.revision));
    // The classic shadow has no name, so the list shows it as a member of its own.
    const classic = existed({ record });
    const body: Shadows = { thing, classic, names: [...names], ...(next !== undefined && { next }) };
    return json(reply, body);
  }
}
