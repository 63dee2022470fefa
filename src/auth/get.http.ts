import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { json } from '../http/send-json.js';
import { getMe, type Me } from './auth.openapi.js';

@Controller('v1/auth/me')
export class GetMeController {
  constructor(private readonly administration: Administration) {}

  /** Says who the caller is: of itself everybody may know that. */
  @Get()
  @Header('cache-control', 'no-store')
  @Action('auth:get')
  @Describe(getMe)
  get(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const { tenant, id, thing = null, roles = [], scopes = null, expiresAt } = request.principal;
    const record = this.administration.find('principal', [tenant, id])?.record;
    const me: Me = {
      tenant,
      principal: id,
      thing,
      roles: [...new Set([...roles, ...(record?.roles ?? [])])],
      scopes: scopes && [...scopes],
      expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    };
    return json(reply, me);
  }
}
