import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { EXTERNAL_ISSUERS, type ExternalIssuers } from '../auth/external-issuers.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { getIssuer } from './issuers.openapi.js';
import { issuerNames } from './issuer-name.js';
import { issuerView } from './issuer-view.js';

@Controller(['v1/issuers', 'v1/tenants/:tenant/issuers'])
export class GetIssuerController {
  constructor(
    private readonly administration: Administration,
    @Inject(EXTERNAL_ISSUERS) private readonly external: ExternalIssuers,
  ) {}

  @Get(':issuer')
  @Action('issuer:get')
  @Describe(getIssuer)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const entry = this.administration.get('issuer', issuerNames(request));
    tagged(reply, entry.revision);
    return json(reply, issuerView(entry, this.external));
  }
}
