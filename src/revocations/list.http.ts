import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { revocationView } from './revocation-view.js';
import { listRevocations } from './revocations.openapi.js';

@Controller(['v1/revocations', 'v1/tenants/:tenant/revocations'])
export class ListRevocationsController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('revocation:list')
  @Describe(listRevocations)
  list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { entries, next } = this.administration.page('revocation', tenantOf(request), query);
    return json(reply, { revocations: entries.map(revocationView), ...(next !== undefined && { next }) });
  }
}
