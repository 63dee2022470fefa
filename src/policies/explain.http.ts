import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { ExplainPolicies } from './explain.js';
import { explainPolicies } from './policies.openapi.js';

@Controller(['v1/policies', 'v1/tenants/:tenant/policies'])
export class ExplainPoliciesController {
  constructor(private readonly policies: ExplainPolicies) {}

  @Post('explain')
  @HttpCode(200)
  @Action('policy:explain')
  @Describe(explainPolicies)
  explain(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    return json(reply, this.policies.explain(tenantOf(request), objectOf(request)));
  }
}
