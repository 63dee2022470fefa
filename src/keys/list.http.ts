import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Administration } from '../directory/administration.js';
import { Describe } from '../http/openapi/describe.js';
import { parameterOf, tenantOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { keyView } from './key-view.js';
import { listKeys } from './keys.openapi.js';

@Controller(['v1/principals/:principal/keys', 'v1/tenants/:tenant/principals/:principal/keys'])
export class ListKeysController {
  constructor(private readonly administration: Administration) {}

  @Get()
  @Action('key:list')
  @Describe(listKeys)
  list(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): string {
    const names = [tenantOf(request), parameterOf(request, 'principal')] as const;
    this.administration.get('principal', names);
    const { directory } = this.administration;
    const keys = [...directory.keysOf(...names)].flatMap((id) => directory.get('key', id) ?? []);
    return json(reply, { keys: keys.map(keyView) });
  }
}
