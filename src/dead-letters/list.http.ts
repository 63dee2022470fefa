import { Controller, Get, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { Describe } from '../http/openapi/describe.js';
import { PageQuery } from '../http/paging.dto.js';
import { queryOf } from '../http/query.js';
import { json } from '../http/send-json.js';
import { sinkNames } from '../sinks/sink-name.js';
import { listDeadLetters } from './dead-letters.openapi.js';
import { letterView } from './letter-view.js';
import { SinkLetters } from './sink-letters.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class ListDeadLettersController {
  constructor(private readonly sinks: SinkLetters) {}

  @Get(':sink/dead-letters')
  @Action('dead-letter:list')
  @Describe(listDeadLetters)
  async list(
    @Query(queryOf(PageQuery)) { limit, after = '' }: PageQuery,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const all = await this.sinks.of(sinkNames(request)).letters.list();
    const found = all.filter(({ letter: { id } }) => id > after);
    const letters = found.slice(0, limit).map(letterView);
    return json(reply, { letters, ...(found.length > limit && { next: letters.at(-1)?.letter }) });
  }
}
