import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { BUILT_IN_ROLES } from '../access/roles.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { policyView, roleView } from './policy-view.js';
import { getPolicy } from './policies.openapi.js';
import { ROLE_PREFIX } from './roles.js';

@Controller(['v1/policies', 'v1/tenants/:tenant/policies'])
export class GetPolicyController {
  constructor(private readonly administration: Administration) {}

  @Get(':policy')
  @Action('policy:get')
  @Describe(getPolicy)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const name = parameterOf(request, 'policy');
    const role = BUILT_IN_ROLES.find((each) => ROLE_PREFIX + each === name);
    if (role !== undefined) return json(reply, roleView(role));
    const entry = this.administration.get('policy', [tenantOf(request), name]);
    tagged(reply, entry.revision);
    return json(reply, policyView(entry));
  }
}
