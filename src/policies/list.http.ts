import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { BUILT_IN_ROLES } from '../access/roles.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { policyView, roleView } from './policy-view.js';
import { listPolicies } from './policies.openapi.js';

@Controller(['v1/policies', 'v1/tenants/:tenant/policies'])
export class ListPoliciesController {
  constructor(private readonly administration: Administration) {}

  /** Built-in roles come with the first page. */
  @Get()
  @Action('policy:list')
  @Describe(listPolicies)
  list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { entries, next } = this.administration.page('policy', tenantOf(request), query);
    const roles = query.after === undefined ? BUILT_IN_ROLES.map(roleView) : [];
    return json(reply, { policies: [...roles, ...entries.map(policyView)], ...(next !== undefined && { next }) });
  }
}
