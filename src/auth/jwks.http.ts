import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { json } from '../http/send-json.js';
import { getKeySet } from './auth.openapi.js';
import { TokenService } from './token-service.js';

@Controller('.well-known/jwks.json')
export class JwksController {
  constructor(private readonly tokens: TokenService) {}

  /** Public: everybody may verify our tokens (RFC 7517). A key is published long before it signs. */
  @Get()
  @Header('cache-control', 'public, max-age=300')
  @Action('public')
  @Describe(getKeySet)
  jwks(@Res({ passthrough: true }) reply: FastifyReply): string {
    return json(reply, this.tokens.authority.signingKeys.published());
  }
}
