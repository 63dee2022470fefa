import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { controllerMethods, routesOf } from './controller-methods.js';

/** Metadata key of a direct handler. */
export const DIRECT = 'umbra:direct';

/** A direct handler sends its answer itself, or throws. */
export type DirectHandler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Fastify calls this handler with `@Req() request, @Res() reply`, without Nest's pipeline, which costs a small request
 * about as much as its own work (ADR 0012). The route is declared like every other, and the handler would do the same
 * in the pipeline. Hooks, limits, errors and the description of the API are those of all routes. Guards, interceptors
 * and pipes would not run: test/architecture/routes.spec.ts holds that none exists.
 */
export const Direct = (): CustomDecorator => SetMetadata(DIRECT, true);

/** Must be called before the application is initialised, which adds the routes. */
export function serveDirectly(app: NestFastifyApplication, server: FastifyInstance): void {
  const handlers = directHandlers(app);
  server.addHook('onRoute', (route) => {
    const direct = handlers.get(`${[route.method].flat().join()} ${route.url}`);
    if (direct) route.handler = handledBy(direct);
  });
}

/** Answers 404 for an empty thing name, as Nest's adapter does: without the name the path has no route. */
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
    for (const route of routesOf(type, handler)) handlers.set(route, handler.bind(controller) as DirectHandler);
  }
  return handlers;
}
