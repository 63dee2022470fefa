import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { ServiceError } from '../errors/service-error.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { sinkNames } from '../sinks/sink-name.js';
import { replayDeadLetters } from './dead-letters.openapi.js';
import { MAX_REPLAY, ReplayDeadLetters } from './replay.js';

@Controller(['v1/sinks', 'v1/tenants/:tenant/sinks'])
export class ReplayDeadLettersController {
  constructor(private readonly letters: ReplayDeadLetters) {}

  @Post(':sink/dead-letters/replay')
  @HttpCode(200)
  @Action('dead-letter:replay')
  @Describe(replayDeadLetters)
  async replay(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const ids = idsOf(objectOf(request));
    return json(reply, await this.letters.replay(sinkNames(request), ids));
  }
}

/** Null: the request names none. */
function idsOf({ letters = null, ...others }: Record<string, unknown>): readonly string[] | null {
  const isList = Array.isArray(letters) && letters.length > 0 && letters.length <= MAX_REPLAY;
  const isRight = letters === null || (isList && letters.every((id) => typeof id === 'string'));
  if (!isRight || Object.keys(others).length > 0)
    throw new ServiceError(
      'invalidRequest',
      `Name 1 to ${MAX_REPLAY} letters as in {"letters":["evt_1"]}, or send no body`,
    );
  return letters as readonly string[] | null;
}
