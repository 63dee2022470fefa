import { Controller, Inject, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { EXTERNAL_ISSUERS, type ExternalIssuers } from '../auth/external-issuers.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { updateIssuer } from './issuers.openapi.js';
import { issuerNames } from './issuer-name.js';
import { issuerView } from './issuer-view.js';
import { UpdateIssuer } from './update.js';

@Controller(['v1/issuers', 'v1/tenants/:tenant/issuers'])
export class UpdateIssuerController {
  constructor(
    private readonly issuers: UpdateIssuer,
    private readonly administration: Administration,
    @Inject(EXTERNAL_ISSUERS) private readonly external: ExternalIssuers,
  ) {}

  @Put(':issuer')
  @Action('issuer:update')
  @Describe(updateIssuer)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = issuerNames(request);
    const current = this.administration.find('issuer', names)?.revision ?? null;
    const expected = expectedOf(request, current);
    const revision = await this.issuers.update(request, names, objectOf(request), expected);
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, issuerView(this.administration.get('issuer', names), this.external));
  }
}
