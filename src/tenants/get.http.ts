import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { tenantView } from './tenant-view.js';
import { getTenant } from './tenants.openapi.js';

@Controller('v1/tenants')
export class GetTenantController {
  constructor(private readonly administration: Administration) {}

  @Get(':tenant')
  @Action('tenant:get')
  @Describe(getTenant)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const entry = this.administration.get('tenant', [tenantOf(request)]);
    tagged(reply, entry.revision);
    return json(reply, tenantView(entry));
  }
}
