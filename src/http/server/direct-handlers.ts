import { RequestMethod, SetMetadata, type CustomDecorator } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { controllerMethods } from './controller-methods.js';

/** Metadata key of a direct handler. */
export const DIRECT = 'umbra:direct';

/** The form of a direct handler: it sends its answer itself, or throws. */
export type DirectHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Fastify calls this handler itself, with `@Req() request, @Res() reply`, instead of Nest's pipeline around it, which
 * costs a small request about as much as its own work (ADR 0012). The route is declared like every other, and through
 * the pipeline the handler would do the same; hooks, limits, errors and the description of the API are those of all
 * routes. Guards, interceptors and pipes would not be asked: test/architecture/routes.spec.ts sees to it that none is.
 */
export const Direct = (): CustomDecorator => SetMetadata(DIRECT, true);

/** Must be called before the routes are added: they are, when the application is initialised. */
export function serveDirectly(app: NestFastifyApplication, server: FastifyInstance): void {
  const handlers = directHandlers(app);
  server.addHook('onRoute', (route) => {
    const direct = handlers.get(`${[route.method].flat().join()} ${route.url}`);
    if (direct) route.handler = handledBy(direct);
  });
}

/** As the adapter does: without the name that the path asks for it is another path, and there is no such. */
function handledBy(direct: DirectHandler): RouteHandlerMethod {
  return function handledDirectly(request, reply) {
    const { thing } = request.params as { thing?: string };
    return thing === '' ? reply.callNotFound() : direct(request, reply);
  };
}

/** By `METHOD /path`. */
function directHandlers(app: NestFastifyApplication): Map<string, DirectHandler> {
  const handlers = new Map<string, DirectHandler>();
  for (const { controller, type, handler } of controllerMethods(app)) {
    if (!Reflect.getMetadata(DIRECT, handler)) continue;
    const path = [Reflect.getMetadata(PATH_METADATA, type), Reflect.getMetadata(PATH_METADATA, handler)];
    const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number];
    const url = `/${path.join('/')}`.replace(/\/+/g, '/').replace(/\/$/, '');
    handlers.set(`${method} ${url}`, handler.bind(controller) as DirectHandler);
  }
  return handlers;
}
