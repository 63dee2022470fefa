import { Controller, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { groupView } from './group-view.js';
import { updateGroup } from './groups.openapi.js';
import { UpdateGroup } from './update.js';

@Controller(['v1/groups', 'v1/tenants/:tenant/groups'])
export class UpdateGroupController {
  constructor(
    private readonly groups: UpdateGroup,
    private readonly administration: Administration,
  ) {}

  @Put(':group')
  @Action('group:update')
  @Describe(updateGroup)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const names = [tenantOf(request), parameterOf(request, 'group')] as const;
    const current = this.administration.find('group', names)?.revision ?? null;
    const revision = await this.groups.update(names, objectOf(request), expectedOf(request, current));
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, groupView(this.administration.get('group', names)));
  }
}
