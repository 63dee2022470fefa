import { Controller, Get, Header, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHENTICATOR, type Authenticator } from '../access/authenticator.js';
import { Describe } from '../http/openapi/describe.js';
import { json } from '../http/send-json.js';
import { healthStatus } from './health.openapi.js';
import { onlyOperators } from './is-local.js';
import { NodeStatus } from './node-status.js';

/** For operators; /health/ready is for load balancers. */
@Controller('health/status')
export class StatusController {
  constructor(
    private readonly node: NodeStatus,
    @Inject(AUTHENTICATOR) private readonly authenticator: Pick<Authenticator, 'isRequired'>,
  ) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Action('health:status')
  @Describe(healthStatus)
  async status(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    // It has addresses and error texts of other servers.
    onlyOperators(request, this.authenticator);
    return json(reply, await this.node.status());
  }
}
