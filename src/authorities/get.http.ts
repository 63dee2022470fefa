import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { getAuthority } from './authorities.openapi.js';
import { authorityNames } from './authority-name.js';
import { authorityView } from './authority-view.js';

@Controller(['v1/authorities', 'v1/tenants/:tenant/authorities'])
export class GetAuthorityController {
  constructor(
    private readonly administration: Administration,
    @Inject(DEVICE_TRUST) private readonly trust: DeviceTrust,
  ) {}

  @Get(':authority')
  @Action('authority:get')
  @Describe(getAuthority)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const entry = this.administration.get('authority', authorityNames(request));
    tagged(reply, entry.revision);
    return json(reply, authorityView(entry, this.trust));
  }
}
