import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import type { PrincipalRecord } from '../directory/records/principal-record.js';
import { Describe } from '../http/openapi/describe.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { principalView } from './principal-view.js';
import { PrincipalsPageQuery } from './principals-query.dto.js';
import { listPrincipals } from './principals.openapi.js';

@Controller(['v1/principals', 'v1/tenants/:tenant/principals'])
export class ListPrincipalsController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('principal:list')
  @Describe(listPrincipals)
  list(
    @Query(queryOf(PrincipalsPageQuery)) query: PrincipalsPageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { group } = query;
    const isWanted = group === undefined ? undefined : (record: PrincipalRecord) => record.groups.includes(group);
    const { entries, next } = this.administration.page('principal', tenantOf(request), query, isWanted);
    return json(reply, { principals: entries.map(principalView), ...(next !== undefined && { next }) });
  }
}
