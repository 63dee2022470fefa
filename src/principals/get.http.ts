import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { principalView } from './principal-view.js';
import { getPrincipal } from './principals.openapi.js';

@Controller(['v1/principals', 'v1/tenants/:tenant/principals'])
export class GetPrincipalController {
  constructor(private readonly administration: Administration) {}

  @Get(':principal')
  @Action('principal:get')
  @Describe(getPrincipal)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const entry = this.administration.get('principal', [tenantOf(request), parameterOf(request, 'principal')]);
    tagged(reply, entry.revision);
    return json(reply, principalView(entry));
  }
}
