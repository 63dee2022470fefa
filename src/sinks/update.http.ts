import { Controller, Inject, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { SINK_MEANS, type SinkMeans } from './sink-means.js';
import { sinkNames } from './sink-name.js';
import { sinkView } from './sink-view.js';
import { updateSink } from './sinks.openapi.js';
import { UpdateSink } from './update.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class UpdateSinkController {
  constructor(
    private readonly sinks: UpdateSink,
    private readonly administration: Administration,
    @Inject(SINK_MEANS) private readonly means: SinkMeans,
  ) {}

  @Put(':sink')
  @Action('sink:update')
  @Describe(updateSink)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = sinkNames(request);
    const current = this.administration.find('sink', names)?.revision ?? null;
    const { entry, shown } = await this.sinks.update(names, objectOf(request), expectedOf(request, current));
    void reply.code(current === null ? 201 : 200);
    tagged(reply, entry.revision);
    // Who sends it is decided within the next seconds.
    return json(reply, sinkView(entry, this.means.secrets, { owners: [], fault: null, shown }));
  }
}
