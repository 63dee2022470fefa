import { Controller, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { principalView } from './principal-view.js';
import { updatePrincipal } from './principals.openapi.js';
import { UpdatePrincipal } from './update.js';

@Controller(['v1/principals', 'v1/tenants/:tenant/principals'])
export class UpdatePrincipalController {
  constructor(
    private readonly principals: UpdatePrincipal,
    private readonly administration: Administration,
  ) {}

  @Put(':principal')
  @Action('principal:update')
  @Describe(updatePrincipal)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = [tenantOf(request), parameterOf(request, 'principal')] as const;
    const current = this.administration.find('principal', names)?.revision ?? null;
    const expected = expectedOf(request, current);
    const revision = await this.principals.update(request, names, objectOf(request), expected);
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, principalView(this.administration.get('principal', names)));
  }
}
