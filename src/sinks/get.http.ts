import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { SinkManager } from './sink-manager.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';
import { sinkNames } from './sink-name.js';
import { sinkView } from './sink-view.js';
import { getSink } from './sinks.openapi.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class GetSinkController {
  constructor(
    private readonly administration: Administration,
    private readonly manager: SinkManager,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
  ) {}

  @Get(':sink')
  @Action('sink:get')
  @Describe(getSink)
  async get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const entry = this.administration.get('sink', sinkNames(request));
    const owners = await this.manager.reportsOf(entry);
    tagged(reply, entry.revision);
    return json(reply, sinkView(entry, this.means.secrets, { owners, fault: this.manager.faultOf(entry) }));
  }
}
