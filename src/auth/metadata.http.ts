import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { json } from '../http/send-json.js';
import { getMetadata, metadataOf } from './auth.openapi.js';
import { TokenService } from './token-service.js';

@Controller('.well-known/oauth-authorization-server')
export class MetadataController {
  constructor(private readonly tokens: TokenService) {}

  /** Public: clients find all endpoints by the URL of the issuer alone (RFC 8414). */
  @Get()
  @Header('cache-control', 'public, max-age=300')
  @Action('public')
  @Describe(getMetadata)
  metadata(@Res({ passthrough: true }) reply: FastifyReply): string {
    return json(reply, metadataOf(this.tokens.authority.issuer.issuer));
  }
}
