import { Controller, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { bodyOf } from '../http/caller.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { policyView } from './policy-view.js';
import { updatePolicy } from './policies.openapi.js';
import { UpdatePolicy } from './update.js';

@Controller(['v1/policies', 'v1/tenants/:tenant/policies'])
export class UpdatePolicyController {
  constructor(
    private readonly policies: UpdatePolicy,
    private readonly administration: Administration,
  ) {}

  /** The body is the policy document itself. */
  @Put(':policy')
  @Action('policy:update')
  @Describe(updatePolicy)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = [tenantOf(request), parameterOf(request, 'policy')] as const;
    const current = this.administration.find('policy', names)?.revision ?? null;
    const document = Buffer.from(bodyOf(request)).toString();
    const revision = await this.policies.update(request.principal, names, document, expectedOf(request, current));
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, policyView(this.administration.get('policy', names)));
  }
}
