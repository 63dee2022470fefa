import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { groupView } from './group-view.js';
import { listGroups } from './groups.openapi.js';

@Controller(['v1/groups', 'v1/tenants/:tenant/groups'])
export class ListGroupsController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('group:list')
  @Describe(listGroups)
  list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { entries, next } = this.administration.page('group', tenantOf(request), query);
    return json(reply, { groups: entries.map(groupView), ...(next !== undefined && { next }) });
  }
}
