import { Controller, Inject, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { LiveTokenPolicy } from '../auth/tokens/live-token-policy.js';
import { Administration } from '../directory/administration.js';
import { recordOf } from '../directory/record-of.js';
import { bodyOf } from '../http/caller.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { tokenPolicyView } from './token-policy-view.js';
import { updateTokenPolicy } from './token-policy.openapi.js';
import { checkedYaml } from './update.js';

@Controller('v1/token-policy')
export class UpdateTokenPolicyController {
  constructor(
    @Inject(LiveTokenPolicy) private readonly policy: LiveTokenPolicy,
    private readonly administration: Administration,
  ) {}

  /** In force on each node as soon as it has seen the record; for tokens that are out, too. */
  @Put()
  @Action('token-policy:update')
  @Describe(updateTokenPolicy)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const current = this.administration.find('tokenPolicy', [])?.revision ?? null;
    const expected = expectedOf(request, current);
    const yaml = checkedYaml(bodyOf(request));
    const revision = await this.administration.put('tokenPolicy', [], recordOf('tokenPolicy', [], { yaml }), expected);
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, tokenPolicyView(this.policy, request.principal, yaml));
  }
}
