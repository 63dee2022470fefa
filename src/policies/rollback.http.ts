import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone, objectOf, parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { policyView } from './policy-view.js';
import { rollbackPolicy } from './policies.openapi.js';
import { UpdatePolicy } from './update.js';

@Controller(['v1/policies', 'v1/tenants/:tenant/policies'])
export class RollbackPolicyController {
  constructor(
    private readonly policies: UpdatePolicy,
    private readonly administration: Administration,
  ) {}

  /** Makes a kept version the one that counts. */
  @Post(':policy/rollback')
  @HttpCode(200)
  @Action('policy:rollback')
  @Describe(rollbackPolicy)
  async rollback(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = [tenantOf(request), parameterOf(request, 'policy')] as const;
    const { version } = objectOf(request, ['version']);
    if (typeof version !== 'number' || !Number.isSafeInteger(version))
      throw new ServiceError('invalidRequest', 'Say which version, such as {"version":3}');
    const current = this.administration.get('policy', names).revision;
    const revision = await this.policies.rollback(names, version, expectedGone(request, current));
    tagged(reply, revision);
    return json(reply, policyView(this.administration.get('policy', names)));
  }
}
