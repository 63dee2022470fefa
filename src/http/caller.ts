import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Principal } from '../access/principal.js';
import { ServiceError } from '../errors/service-error.js';
import { checkShadowName, checkThingName } from '../document/shadow-name.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
import type { RequestOptions, ShadowKey } from '../store/shadow-store.js';
import { single } from './query.js';

/** The principal of a request, and its deadline. */
export interface Caller {
  readonly principal: Principal;
  readonly options: RequestOptions;
}

/** The part of a request that every shadow operation needs, apart from the body: a ShadowCall. */
export interface Target extends RequestOptions {
  /** Set when the request begins to be traced. */
  trace: RequestTrace | null;
  readonly key: ShadowKey;
  readonly principal: Principal;
}

const requestOf = (context: ExecutionContext): FastifyRequest => context.switchToHttp().getRequest<FastifyRequest>();

/** The caller of a request, as the hook of http/access-hooks.ts found it. */
export function callerOf({ principal, deadline, trace }: FastifyRequest): Caller {
  return { principal, options: { deadline, trace } };
}

/** @throws ServiceError invalidThingName */
export function thingOf(request: FastifyRequest): string {
  const { thing = '' } = request.params as { thing?: string };
  checkThingName(thing);
  return thing;
}

/**
 * The shadow that `/{thing}/…?name=` names; without `name` the classic shadow.
 * @throws ServiceError invalidThingName, invalidShadowName, invalidRequest
 */
export function targetOf(request: FastifyRequest): Target {
  const { deadline, principal, target, trace } = request;
  // Access to it was asked for before.
  if (target?.principal === principal) return target;
  const thing = thingOf(request);
  const name = single(request.query, 'name') ?? null;
  if (name !== null) checkShadowName(name);
  // Written out: an object that is spread and then extended costs as much as all else here.
  const found = { deadline, principal, trace, key: { tenant: principal.tenant, thing, name } };
  request.target = found;
  return found;
}

export const FromCaller = createParamDecorator((_: unknown, context: ExecutionContext) => callerOf(requestOf(context)));
export const FromTarget = createParamDecorator((_: unknown, context: ExecutionContext) => targetOf(requestOf(context)));
export const FromThing = createParamDecorator((_: unknown, context: ExecutionContext) => thingOf(requestOf(context)));

const NO_BODY = new Uint8Array(0);

/**
 * The bytes of the body as sent; empty for a request without a body.
 * @throws ServiceError tooLarge for a body that was refused while it came
 */
export function bodyOf({ body }: FastifyRequest): Uint8Array {
  if (body instanceof ServiceError) throw body;
  return Buffer.isBuffer(body) ? body : NO_BODY;
}
