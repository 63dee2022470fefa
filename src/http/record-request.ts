import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors/service-error.js';
import type { Expected } from '../directory/administration.js';
import { bodyOf } from './caller.js';
import { conditionsOf, entityTag } from './conditions.js';
import { QueryError, single } from './query.js';

/** The tenant whose records a request is about: the one that its path names, else that of its caller. */
export function tenantOf({ params, principal }: FastifyRequest): string {
  return (params as { tenant?: string }).tenant ?? principal.tenant;
}

/** A parameter of the path. Its form is checked with the record. */
export function parameterOf({ params }: FastifyRequest, name: string): string {
  return (params as Record<string, string | undefined>)[name] ?? '';
}

/**
 * The identifier of an MQTT client: in the path, or in the query where the route has none.
 * @throws ServiceError invalidRequest unless it is given once
 */
export function clientIdOf(request: FastifyRequest): string {
  const found = parameterOf(request, 'clientId') || single(request.query, 'clientId');
  if (found) return found;
  const message = 'clientId must be given, as the client identifier of MQTT';
  throw new QueryError([{ parameter: 'clientId', message }]);
}

/**
 * The JSON object that the body is; an empty one without a body.
 * @param members that it may have, where all may be left out: one that is misspelt must not count as left out; undefined: any
 * @throws ServiceError invalidJson, invalidRequest, tooLarge
 */
export function objectOf(request: FastifyRequest, members?: readonly string[]): Record<string, unknown> {
  const body = anyObjectOf(request);
  const strange = members && Object.keys(body).find((name) => !members.includes(name));
  if (strange === undefined) return body;
  const told = `${JSON.stringify(strange.slice(0, 80))}; it may have ${members?.join(', ')}`;
  throw new ServiceError('invalidRequest', `The body has no member ${told}`);
}

function anyObjectOf(request: FastifyRequest): Record<string, unknown> {
  const bytes = bodyOf(request);
  if (bytes.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new ServiceError('invalidJson', `: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ServiceError('invalidRequest', 'The body must be a JSON object');
}

/**
 * What the conditions of a request expect of a record (RFC 9110 section 13.1). Without a condition a record is created,
 * and none is replaced: two people who edit it must not undo each other's work unseen.
 * @param current revision of the record; null: there is none
 * @throws ServiceError preconditionFailed, invalidRequest
 */
export function expectedOf(request: FastifyRequest, current: number | null): Expected {
  const { ifMatch, ifNoneMatch } = conditionsOf(request);
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== '*') throw new ServiceError('invalidRequest', 'If-None-Match may only be * here');
    if (current !== null) throw new ServiceError('preconditionFailed', 'it exists already');
    return null;
  }
  if (ifMatch === undefined) {
    if (current === null) return null;
    throw new ServiceError(
      'preconditionFailed',
      `it exists already; to replace it send If-Match: ${entityTag(current)}`,
    );
  }
  if (current === null) throw new ServiceError('preconditionFailed', 'it does not exist');
  if (ifMatch === '*' || ifMatch.some(({ value, weak }) => !weak && value === String(current))) return current;
  throw new ServiceError('preconditionFailed', `it has been changed since; its ETag is ${entityTag(current)}`);
}

/** As expectedOf, for a deletion: without a condition any state of the record goes. */
export function expectedGone(request: FastifyRequest, current: number | null): Expected {
  const { ifMatch, ifNoneMatch } = conditionsOf(request);
  return ifMatch === undefined && ifNoneMatch === undefined ? undefined : expectedOf(request, current);
}

/** Adds the entity tag of a record to its answer. */
export function tagged(reply: FastifyReply, revision: number): void {
  void reply.header('etag', entityTag(revision)).header('cache-control', 'no-store');
}
