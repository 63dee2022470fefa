import { Controller, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedGone, objectOf, tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { revocationNames } from './revocation-name.js';
import { revocationView } from './revocation-view.js';
import { updateRevocation } from './revocations.openapi.js';
import { UpdateRevocation } from './update.js';

@Controller(['v1/revocations', 'v1/tenants/:tenant/revocations'])
export class UpdateRevocationController {
  constructor(
    private readonly revocations: UpdateRevocation,
    private readonly administration: Administration,
  ) {}

  @Put(':kind/:id')
  @Action('revocation:update')
  @Describe(updateRevocation)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = revocationNames(request);
    const current = this.administration.find('revocation', names)?.revision ?? null;
    // Without a condition it holds in any case: whoever revokes in a hurry need not look first.
    const expected = expectedGone(request, current);
    const revision = await this.revocations.update(request.principal, names, objectOf(request), expected);
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, revocationView(this.administration.get('revocation', names)));
  }
}
