import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { principalView } from './principal-view.js';
import { listPrincipals } from './principals.openapi.js';

@Controller(['v1/principals', 'v1/tenants/:tenant/principals'])
export class ListPrincipalsController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('principal:list')
  @Describe(listPrincipals)
  list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { entries, next } = this.administration.page('principal', tenantOf(request), query);
    return json(reply, { principals: entries.map(principalView), ...(next !== undefined && { next }) });
  }
}
