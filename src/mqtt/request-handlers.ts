import type { MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { MqttRequest } from './mqtt-request.js';
import { requestPatterns } from './mqtt-request.js';
import { OPERATIONS, type Operation } from './topics.js';

/** The handler of each operation, from those that Nest has bound. @throws Error when one is missing */
export function handlersByOperation(bound: ReadonlyMap<string, MessageHandler>): Map<Operation, MessageHandler> {
  const handlers = new Map<Operation, MessageHandler>();
  for (const operation of OPERATIONS) {
    for (const pattern of requestPatterns(operation)) {
      const handler = bound.get(pattern);
      if (!handler) throw new Error(`nothing handles ${pattern}`);
      handlers.set(operation, handler);
    }
  }
  return handlers;
}

/** Runs a handler with its filters: a Refused instead of an exception, undefined where the answer comes from the feed. */
export async function runHandler(handler: MessageHandler, request: MqttRequest): Promise<unknown> {
  const result = (await handler(request.payload, request)) as unknown;
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}
