import { Controller, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { expectedOf, objectOf, tagged } from '../http/record-request.js';
import { listenerOf } from '../http/route-hook.js';
import { json } from '../http/send-json.js';
import { routeListsView } from './route-lists-view.js';
import { updateRouteLists } from './route-lists.openapi.js';
import { checkedLists } from './update.js';

@Controller('v1/route-lists')
export class UpdateRouteListsController {
  constructor(private readonly administration: Administration) {}

  /** In force on each node as soon as it has seen the record. */
  @Put()
  @Action('route-list:update')
  @Describe(updateRouteLists)
  async update(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const current = this.administration.find('routeLists', [])?.revision ?? null;
    const expected = expectedOf(request, current);
    const record = checkedLists(objectOf(request), listenerOf(request.raw.socket));
    const revision = await this.administration.put('routeLists', [], record, expected);
    void reply.code(current === null ? 201 : 200);
    tagged(reply, revision);
    return json(reply, routeListsView(record));
  }
}
