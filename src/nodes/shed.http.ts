import { Controller, Header, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Action } from '../access/action.js';
import { AUTHENTICATOR, type Authenticator } from '../access/authenticator.js';
import { CONFIG, type Config } from '../config/config.js';
import { ServiceError } from '../errors/service-error.js';
import { onlyOperators } from '../health/is-local.js';
import { Describe } from '../http/openapi/describe.js';
import { objectOf, parameterOf } from '../http/record-request.js';
import { json } from '../http/send-json.js';
import { nodeView } from './node-view.js';
import { Nodes } from './nodes.js';
import { MAX_CONNECTIONS, MAX_SPREAD_MS, shedNode } from './nodes.openapi.js';

@Controller('v1/nodes')
export class ShedNodeController {
  constructor(
    @Inject(Nodes) private readonly nodes: Nodes,
    @Inject(AUTHENTICATOR) private readonly authenticator: Authenticator,
    @Inject(CONFIG) private readonly config: Pick<Config, 'drainSpreadMs'>,
  ) {}

  @Post(':node/shed')
  @HttpCode(202)
  @Header('cache-control', 'no-store')
  @Action('node:shed')
  @Describe(shedNode)
  async shed(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    onlyOperators(request, this.authenticator);
    const body = objectOf(request, ['connections', 'spreadMs']);
    const node = parameterOf(request, 'node');
    const { planned, state } = await this.nodes.shed(node, {
      connections: wholeNumber(body, 'connections', 1, MAX_CONNECTIONS),
      spreadMs: wholeNumber(body, 'spreadMs', 0, MAX_SPREAD_MS) ?? this.config.drainSpreadMs,
      by: request.principal.id,
    });
    return json(reply, { connections: planned, node: nodeView(node, state.words.get(node) ?? null) });
  }
}

function wholeNumber(body: Record<string, unknown>, name: string, min: number, max: number): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw new ServiceError('invalidRequest', `${name} must be a whole number from ${min} to ${max}`);
}
