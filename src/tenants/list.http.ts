import { Controller, Get, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { json } from '../http/send-json.js';
import { tenantView } from './tenant-view.js';
import { listTenants } from './tenants.openapi.js';

@Controller('v1/tenants')
export class ListTenantsController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('tenant:list')
  @Describe(listTenants)
  list(@Query(queryOf(PageQuery)) query: PageQuery, @Res({ passthrough: true }) reply: FastifyReply): string {
    const { entries, next } = this.administration.page('tenant', null, query);
    return json(reply, { tenants: entries.map(tenantView), ...(next !== undefined && { next }) });
  }
}
