import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors/service-error.js';
import type { Logger } from '../telemetry/logger.js';
import { idOfTrace } from '../telemetry/request-trace.js';
import { awsError, isAwsPath, problem } from './error-body.js';
import { setRequestId } from './server/request-id.js';
import type { RouteTable } from './server/route-table.js';

/** Translates errors to answers: rows of the error table, for both HTTP doors. */
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

  /** Also serves requests that fail before a route is found. */
  answer(exception: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const error = this.#toServiceError(exception, request);
    request.faultCode = error.authCode ?? error.code;
    request.fault = error.code;
    if (error.code === 'internal') {
      const where = { requestId: request.id, method: request.method, ...idOfTrace(request.trace) };
      this.logger.error({ err: exception, ...where }, 'http request failed');
    }
    // A stream has begun, or the caller is gone, so an answer is impossible.
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

  #toServiceError(exception: unknown, request: FastifyRequest): ServiceError {
    if (exception instanceof ServiceError) return exception;
    const status = statusOf(exception);
    if (status === 404) return this.routes.rejectionOf(pathOf(request));
    if (status === 413) return new ServiceError('tooLarge');
    // Other rejections of Nest and Fastify: bad percent-encoding, a body shorter than its Content-Length.
    if (status >= 400 && status < 500) return new ServiceError('invalidRequest', (exception as Error).message);
    return new ServiceError('internal');
  }
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

function statusOf(exception: unknown): number {
  if (exception instanceof HttpException) return exception.getStatus();
  // Only Fastify's own errors: the status of any other error does not show a fault of the caller.
  const { code, statusCode } = (exception ?? {}) as { code?: unknown; statusCode?: unknown };
  return typeof code === 'string' && code.startsWith('FST_') && typeof statusCode === 'number' ? statusCode : 500;
}
