import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { EXTERNAL_ISSUERS, type ExternalIssuers } from '../auth/external-issuers.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { listIssuers } from './issuers.openapi.js';
import { issuerView } from './issuer-view.js';

@Controller(['v1/issuers', 'v1/tenants/:tenant/issuers'])
export class ListIssuersController {
  constructor(
    private readonly administration: Administration,
    @Inject(EXTERNAL_ISSUERS) private readonly external: ExternalIssuers,
  ) {}

  @Get()
  @Action('issuer:list')
  @Describe(listIssuers)
  list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { entries, next } = this.administration.page('issuer', tenantOf(request), query);
    const issuers = entries.map((entry) => issuerView(entry, this.external));
    return json(reply, { issuers, ...(next !== undefined && { next }) });
  }
}
