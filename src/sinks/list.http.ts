import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { SinkManager } from './sink-manager.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';
import { sinkView } from './sink-view.js';
import { listSinks } from './sinks.openapi.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class ListSinksController {
  constructor(
    private readonly administration: Administration,
    private readonly manager: SinkManager,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
  ) {}

  @Get()
  @Action('sink:list')
  @Describe(listSinks)
  async list(
    @Query(queryOf(PageQuery)) query: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const { entries, next } = this.administration.page('sink', tenantOf(request), query);
    // A tenant has ten at most.
    const owners = await Promise.all(entries.map((entry) => this.manager.reportsOf(entry)));
    const sinks = entries.map((entry, i) =>
      sinkView(entry, this.means.secrets, { owners: owners[i] ?? [], fault: this.manager.faultOf(entry) }),
    );
    return json(reply, { sinks, ...(next !== undefined && { next }) });
  }
}
