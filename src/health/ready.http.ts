import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { json } from '../http/send-json.js';
import { Describe } from '../http/openapi/describe.js';
import { HealthRegistry } from './health-registry.js';
import { ready } from './health.openapi.js';

/** Whether a load balancer should send clients here; 503 names the parts that say no. */
@Controller('health/ready')
export class ReadyController {
  constructor(private readonly health: HealthRegistry) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Action('public')
  @Describe(ready)
  ready(@Res({ passthrough: true }) reply: FastifyReply): string {
    const report = this.health.report();
    if (!report.ready) void reply.code(503);
    return json(reply, report);
  }
}
