import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { json } from '../http/send-json.js';
import { LeaseAccess } from './lease-access.js';
import { LeaseTable } from './lease-table.js';
import { leaseView } from './lease-view.js';
import { listLeases, type Leases } from './leases.openapi.js';

@Controller('v1/leases')
export class ListLeasesController {
  constructor(
    private readonly table: LeaseTable,
    private readonly access: LeaseAccess,
  ) {}

  @Get()
  @Action('lease:list')
  @Describe(listLeases)
  async list(
    @Query(queryOf(PageQuery)) { limit, after = '' }: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const all = await this.table.list(request.principal.tenant);
    const seen = all.filter((lease) => lease.id > after && this.access.maySee(request, lease));
    const page = seen.slice(0, limit);
    const last = page.at(-1);
    void reply.header('cache-control', 'no-store');
    const body: Leases = {
      leases: page.map(leaseView),
      ...(seen.length > limit && last !== undefined && { next: last.id }),
    };
    return json(reply, body);
  }
}
