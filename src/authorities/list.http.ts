import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { listAuthorities } from './authorities.openapi.js';
import { authorityView } from './authority-view.js';

@Controller(['v1/authorities', 'v1/tenants/:tenant/authorities'])
export class ListAuthoritiesController {
  constructor(
    private readonly administration: Administration,
    @Inject(DEVICE_TRUST) private readonly trust: DeviceTrust,
  ) {}

  @Get()
  @Action('authority:list')
  @Describe(listAuthorities)
  list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): string {
    const { entries, next } = this.administration.page('authority', tenantOf(request), query);
    const authorities = entries.map((entry) => authorityView(entry, this.trust));
    return json(reply, { authorities, ...(next !== undefined && { next }) });
  }
}
