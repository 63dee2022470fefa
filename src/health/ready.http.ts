import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { json } from '../http/send-json.js';
import { Describe } from '../http/openapi/describe.js';
import { HealthRegistry, type HealthReport } from './health-registry.js';
import { ready } from './health.openapi.js';
import { isLocal } from './is-local.js';

/** Says whether a load balancer should send clients to this node; 503 names the parts that are not ready. */
@Controller('health/ready')
export class ReadyController {
  constructor(private readonly health: HealthRegistry) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Action('public')
  @Describe(ready)
  ready(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const report = this.health.report();
    if (!report.ready) void reply.code(503);
    return json(reply, isLocal(request) ? report : withoutDetails(report));
  }
}

/** Omits reasons, warnings and members, because they contain addresses and error texts of other servers. */
function withoutDetails({ parts, ...report }: HealthReport): object {
  const short = Object.entries(parts).map(([name, { ok, since }]) => [name, { ok, since }]);
  return { ...report, parts: Object.fromEntries(short) };
}
