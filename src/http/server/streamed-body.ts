import type { IncomingMessage } from 'node:http';
import { SetMetadata, type CustomDecorator } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { controllerMethods, routesOf } from './controller-methods.js';

const STREAMED_BODY = 'umbra:streamed-body';

const streamed = new WeakSet<IncomingMessage>();

/**
 * This handler reads its body itself, as it comes: of any length, for any time. It must bound both. Its path may have no
 * parameter, and belongs to this one alone.
 */
export const StreamedBody = (): CustomDecorator => SetMetadata(STREAMED_BODY, true);

/** Paths of the handlers that read their bodies themselves. No errors. */
export function streamedBodies(app: NestFastifyApplication): string[] {
  return [...controllerMethods(app)].flatMap(({ type, handler }) => {
    if (Reflect.getMetadata(STREAMED_BODY, handler) !== true) return [];
    return routesOf(type, handler).map((route) => route.slice(route.indexOf(' ') + 1));
  });
}

/** Leaves a body to its handler. No errors. */
export function leaveToHandler(payload: IncomingMessage): IncomingMessage {
  streamed.add(payload);
  return payload;
}

/** Whether a request has a body that is left to its handler. No errors. */
export const isStreamed = (request: IncomingMessage): boolean => streamed.has(request);

/** The body that is left to the handler; null: there is none. No errors. */
export const streamOf = ({ raw }: FastifyRequest): IncomingMessage | null => (isStreamed(raw) ? raw : null);
