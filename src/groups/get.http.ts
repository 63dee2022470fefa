import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf, tagged, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { groupView } from './group-view.js';
import { getGroup } from './groups.openapi.js';

@Controller(['v1/groups', 'v1/tenants/:tenant/groups'])
export class GetGroupController {
  constructor(private readonly administration: Administration) {}

  @Get(':group')
  @Action('group:get')
  @Describe(getGroup)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const entry = this.administration.get('group', [tenantOf(request), parameterOf(request, 'group')]);
    tagged(reply, entry.revision);
    return json(reply, groupView(entry));
  }
}
