import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ANONYMOUS, type Principal } from '../../access/principal.js';
import type { Clock } from '../../resilience/clock.js';
import { ServiceError } from '../../errors/service-error.js';
import type { Logger } from '../../telemetry/logger.js';
import { idOfTrace, type RequestTrace } from '../../telemetry/request-trace.js';
import type { Target } from '../caller.js';
import { isForeignOrigin } from '../foreign-origin.js';
import { hasBody, type RequestHeads } from '../request-head.js';
import { answerLast, hasLastAnswer } from './last-answer.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Milliseconds of the monotonic clock after which the caller no longer waits. */
    deadline: number;
    principal: Principal;
    /** What http/caller.ts has found in its path and query; null: nobody has asked. */
    target: Target | null;
    /** Null: it is not traced. */
    trace: RequestTrace | null;
    /** Content type as sent; null: none. */
    sentType: string | null;
  }
}

/** The server makes every id: an id that a client sends proves nothing and could break the log. */
export const newRequestId = (): string => randomUUID();

/** AWS SDKs show the first name in their errors; proxies and people look for the second. */
export function setRequestId(reply: FastifyReply, id: string): void {
  void reply.header('x-amzn-requestid', id).header('x-request-id', id);
}

export interface RequestHookParts {
  /** Milliseconds from the arrival of a request to its answer. */
  readonly timeoutMs: number;
  readonly heads: RequestHeads;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Gives every request a deadline, its id in the answer, and one line in the debug log without payload and query string.
 * Rejects requests with a bad head, and changes that pages of other sites send.
 */
export function addRequestHooks(server: FastifyInstance, { timeoutMs, heads, clock, logger }: RequestHookParts): void {
  server.decorateRequest('deadline', 0);
  // Fastify wants no object that all requests share.
  server.decorateRequest('principal', null as never);
  server.decorateRequest('target', null);
  server.decorateRequest('trace', null);
  server.decorateRequest('sentType', null);
  server.addHook('onRequest', (request, reply, done) => {
    // Its answer never comes; the connection closes before.
    if (hasLastAnswer(request.raw.socket)) return void reply.hijack();
    // Fastify would reject a malformed type before a handler sees the body.
    const type = request.headers['content-type'];
    if (type !== undefined) {
      request.sentType = type;
      delete request.headers['content-type'];
    }
    // Fastify rejects a QUERY without a type before it finds that no route has the method.
    if (request.method === 'QUERY') request.headers['content-type'] = 'application/octet-stream';
    request.deadline = clock.monotonic() + timeoutMs;
    request.principal = ANONYMOUS;
    setRequestId(reply, request.id);
    const reads = request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS';
    const foreign = !reads && isForeignOrigin(request.headers);
    const fault = heads.faultOf(request.raw) ?? (foreign ? new ServiceError('forbidden') : undefined);
    // Nobody reads the body of a request that only reads. After a bad head nothing is sure to be a request.
    if (fault || (reads && hasBody(request.raw))) answerLast(request, reply);
    done(fault);
  });
  // Fastify listens to every response for the sake of this hook.
  if (!logger.isLevelEnabled('debug')) return;
  server.addHook('onResponse', (request, reply, done) => {
    logger.debug(lineOf(request, reply), 'http request');
    done();
  });
}

function lineOf(request: FastifyRequest, reply: FastifyReply): object {
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? null,
    status: reply.raw.statusCode,
    ms: Math.round(reply.elapsedTime * 100) / 100,
    ...idOfTrace(request.trace),
  };
}
