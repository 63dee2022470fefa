import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors/service-error.js';
import type { Logger } from '../telemetry/logger.js';
import { awsError, isAwsPath, problem } from './error-body.js';
import { setRequestId } from './server/request-id.js';
import type { RouteTable } from './server/route-table.js';

/** Translates rows of the error table, for both doors, and nothing else (STYLE rule 8). */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  constructor(
    private readonly routes: RouteTable,
    private readonly logger: Logger,
  ) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(exception, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Also for what fails before a route is found. */
  answer(exception: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = this.#toShadowError(exception, request);
    if (error.code === 'internal') {
      this.logger.error({ err: exception, requestId: request.id, method: request.method }, 'http request failed');
    }
    // A stream has begun, or the caller is gone: there is nobody to tell.
    if (reply.sent || reply.raw.headersSent) return;
    const { status, headers, body } = (isAwsPath(request.url) ? awsError : problem)(error, request.id);
    if (error.code === 'methodNotAllowed')
      void reply.header('allow', this.routes.methodsOf(pathOf(request)).join(', '));
    setRequestId(reply, request.id);
    void reply
      .code(status)
      .headers(headers)
      .send(Buffer.from(JSON.stringify(body)));
  }

  #toShadowError(exception: unknown, request: FastifyRequest): ServiceError {
    if (exception instanceof ServiceError) return exception;
    const status = statusOf(exception);
    if (status === 404) return this.routes.refusal(pathOf(request));
    if (status === 413) return new ServiceError('tooLarge');
    // What else Nest and Fastify refuse: bad percent-encoding, a body shorter than its Content-Length.
    if (status >= 400 && status < 500) return new ServiceError('invalidRequest', (exception as Error).message);
    return new ServiceError('internal');
  }
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

function statusOf(exception: unknown): number {
  if (exception instanceof HttpException) return exception.getStatus();
  // Errors of Fastify itself; a foreign error that happens to carry a status is not the caller's fault.
  const { code, statusCode } = (exception ?? {}) as { code?: unknown; statusCode?: unknown };
  return typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' ? statusCode : 500;
}
