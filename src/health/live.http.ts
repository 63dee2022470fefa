import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { json } from '../http/send-json.js';
import { Describe } from '../http/openapi/describe.js';
import { live } from './health.openapi.js';

/** Says that the process answers. No other part, least of all the storage, may cause a restart. */
@Controller('health/live')
export class LiveController {
  @Get()
  @Header('cache-control', 'no-store')
  @Action('public')
  @Describe(live)
  live(@Res({ passthrough: true }) reply: FastifyReply): string {
    return json(reply, { live: true });
  }
}
