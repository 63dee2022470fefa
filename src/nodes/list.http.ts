import { Controller, Get, Header, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHENTICATOR, type Authenticator } from '../access/authenticator.js';
import { onlyOperators } from '../health/is-local.js';
import { Describe } from '../http/openapi/describe.js';
import { json } from '../http/send-json.js';
import { nodesView } from './node-view.js';
import { Nodes } from './nodes.js';
import { listNodes } from './nodes.openapi.js';

@Controller('v1/nodes')
export class ListNodesController {
  constructor(
    @Inject(Nodes) private readonly nodes: Nodes,
    @Inject(AUTHENTICATOR) private readonly authenticator: Authenticator,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Action('node:list')
  @Describe(listNodes)
  async list(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    onlyOperators(request, this.authenticator);
    return json(reply, nodesView(await this.nodes.state()));
  }
}
