import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { tagged } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { routeListsView } from './route-lists-view.js';
import { listRouteLists } from './route-lists.openapi.js';

@Controller('v1/route-lists')
export class ListRouteListsController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('route-list:list')
  @Describe(listRouteLists)
  list(@Res({ passthrough: true }) reply: FastifyReply): string {
    const entry = this.administration.find('routeLists', []);
    if (entry === null) void reply.header('cache-control', 'no-store');
    else tagged(reply, entry.revision);
    return json(reply, routeListsView(entry?.record ?? null));
  }
}
