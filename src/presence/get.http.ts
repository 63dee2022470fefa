import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { ServiceError } from '../errors/service-error.js';
import { DescribeTopics } from '../http/openapi/channels.js';
import { Describe } from '../http/openapi/describe.js';
import { clientIdOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { PRESENCE_EVENTS } from './events.asyncapi.js';
import { Presence } from './presence.js';
import { findPresence, getPresence, type ClientPresence } from './presence.openapi.js';

@Controller('v1/presence')
export class GetPresenceController {
  constructor(private readonly presence: Presence) {}

  @Get(':clientId')
  @Action('presence:get')
  @Describe(getPresence)
  @DescribeTopics(PRESENCE_EVENTS)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const clientId = clientIdOf(request);
    const found = this.presence.of({ tenant: request.principal.tenant, clientId });
    if (found === null) throw new ServiceError('noRecord', `client '${clientId}'`);
    const body: ClientPresence = { clientId, ...found };
    void reply.header('cache-control', 'no-store');
    return json(reply, body);
  }

  /** For identifiers that are awkward in a path, or stand for a route there. */
  @Get()
  @Action('presence:get')
  @Describe(findPresence)
  find(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    return this.get(request, reply);
  }
}
