import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHORIZER, type Authorizer } from '../access/authorizer.js';
import { LiveTokenPolicy } from '../auth/tokens/live-token-policy.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { tokenPolicyView } from './token-policy-view.js';
import { getTokenPolicy } from './token-policy.openapi.js';

@Controller('v1/token-policy')
export class GetTokenPolicyController {
  constructor(
    @Inject(LiveTokenPolicy) private readonly policy: LiveTokenPolicy,
    private readonly administration: Administration,
    @Inject(AUTHORIZER) private readonly authorizer: Authorizer,
  ) {}

  /** Every client may know by which rules its own tokens end; the file is of all tenants. */
  @Get()
  @Action('token-policy:get')
  @Describe(getTokenPolicy)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const { principal, ip: address } = request;
    const entry = this.administration.find('tokenPolicy', []);
    const maySee = this.authorizer.allows(principal, 'umbra:AdminTenants', 'tenant/*', { address });
    if (entry === null) void reply.header('cache-control', 'no-store');
    else tagged(reply, entry.revision);
    return json(reply, tokenPolicyView(this.policy, principal, maySee ? (entry?.record.yaml ?? null) : null));
  }
}
