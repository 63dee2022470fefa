import { Controller, Get, Header, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Action } from '../access/action.js';
import { json } from '../http/send-json.js';
import { Describe } from '../http/openapi/describe.js';
import { live } from './health.openapi.js';

/** The process answers: nothing else may decide whether it is restarted, least of all the storage. */
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
