import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { controllerMethods, routesOf } from './controller-methods.js';

const LARGE_BODY = 'umbra:large-body';

/**
 * The body of this handler may have so many bytes, more than an update has. Its path may have no parameter, and belongs
 * to this one alone: a body is judged before its route is known.
 * @param maxBytes of one body
 */
export const LargeBody = (maxBytes: number): CustomDecorator => SetMetadata(LARGE_BODY, maxBytes);

/** Bytes by path. No errors. */
export function largeBodies(app: NestFastifyApplication): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const { type, handler } of controllerMethods(app)) {
    const maxBytes = Reflect.getMetadata(LARGE_BODY, handler) as number | undefined;
    if (maxBytes === undefined) continue;
    for (const route of routesOf(type, handler)) found.set(route.slice(route.indexOf(' ') + 1), maxBytes);
  }
  return found;
}
