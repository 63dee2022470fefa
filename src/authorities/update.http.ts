import { Controller, Inject, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { DEVICE_TRUST, type DeviceTrust } from '../auth/certificates/device-trust.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { updateAuthority } from './authorities.openapi.js';
import { authorityNames } from './authority-name.js';
import { authorityView } from './authority-view.js';
import { UpdateAuthority } from './update.js';

@Controller(['v1/authorities', 'v1/tenants/:tenant/authorities'])
export class UpdateAuthorityController {
  constructor(
    private readonly authorities: UpdateAuthority,
    private readonly administration: Administration,
    @Inject(DEVICE_TRUST) private readonly trust: DeviceTrust,
  ) {}

  @Put(':authority')
  @Action('authority:update')
  @Describe(updateAuthority)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = authorityNames(request);
    const current = this.administration.find('authority', names)?.revision ?? null;
    const expected = expectedOf(request, current);
    const revision = await this.authorities.update(names, objectOf(request), expected);
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, authorityView(this.administration.get('authority', names), this.trust));
  }
}
